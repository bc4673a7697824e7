/** The definitions of the kinds that a cluster serves beside its own: Gateway API's and ours. */
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { cacheFolder, needGo } from "./binaries.ts";
import { groupPath, type Client, type Reference } from "./client.ts";
import { downloadModule } from "./go-module.ts";

/**
 * `standard`: the standard channel, which serves UDPRoute as `v1`. The others are the experimental channel, with UDPRoute
 * in `both` versions as it is published, or only in one of them: `v1alpha2` as in releases before 1.6. `none`: no Gateway
 * API at all.
 */
export type GatewayApi = "standard" | "both" | "v1alpha2" | "v1" | "none";

export const gatewayApiVersion = "1.6.0";
const kedaVersion = "2.17.0";

const ourFolder = fileURLToPath(new URL("../../deploy/crds", import.meta.url));

interface Version {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
}

interface Definition extends Reference {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string; readonly plural: string };
    readonly versions: readonly Version[];
  };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

const readFolder = (folder: string): readonly Definition[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .flatMap((file) => parseAllDocuments(readFileSync(join(folder, file), "utf8")))
    .map((document) => document.toJS() as Definition)
    .filter(({ kind }) => kind === "CustomResourceDefinition");

type Channel = "standard" | "experimental";

/** Definitions of a Go module; kept in the cache, so that only the first cluster needs Go for them. */
const folderOf = async (name: string, what: string, module: string, version: string, path: string): Promise<string> => {
  const folder = join(cacheFolder(), name);
  if (existsSync(folder)) return folder;
  needGo(`downloads the definitions of ${what}`);
  const { Dir } = await downloadModule(module, version);
  mkdirSync(cacheFolder(), { recursive: true });
  const temporary = `${folder}.${process.pid}`;
  cpSync(join(Dir, path), temporary, { recursive: true, mode: 0 });
  try {
    renameSync(temporary, folder);
  } catch (error) {
    // Another was faster.
    if (!existsSync(folder)) throw error;
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
};

const gatewayApiFolder = (channel: Channel): Promise<string> =>
  folderOf(
    `gateway-api-${gatewayApiVersion}-${channel}`,
    "Gateway API",
    "sigs.k8s.io/gateway-api",
    gatewayApiVersion,
    `config/crd/${channel}`,
  );

const kedaFolder = (): Promise<string> =>
  folderOf(`keda-${kedaVersion}`, "KEDA", "github.com/kedacore/keda/v2", kedaVersion, "config/crd/bases");

const servedOnlyIn = (definition: Definition, wanted: string): Definition => ({
  ...definition,
  spec: {
    ...definition.spec,
    versions: definition.spec.versions.filter(({ name }) => name === wanted).map((one) => ({ ...one, storage: true })),
  },
});

const gatewayApiDefinitions = async (served: GatewayApi): Promise<readonly Definition[]> => {
  if (served === "none") return [];
  const all = readFolder(await gatewayApiFolder(served === "standard" ? "standard" : "experimental"));
  return served === "both" || served === "standard"
    ? all
    : all.map((one) => (one.spec.names.kind === "UDPRoute" ? servedOnlyIn(one, served) : one));
};

const isEstablished = ({ status }: Definition): boolean =>
  status?.conditions?.some(({ type, status: value }) => type === "Established" && value === "True") ?? false;

/** Applies a definition and returns once every version it serves answers. */
const install = async (client: Client, definition: Definition): Promise<void> => {
  const { group, names, versions } = definition.spec;
  let current = await client.apply<Definition>(definition, { fieldManager: "install" });
  while (!isEstablished(current)) {
    await after(50);
    current = await client.get<Definition>(definition);
  }
  for (const { name } of versions.filter(({ served }) => served)) {
    const path = `${groupPath(`${group}/${name}`)}/${names.plural}?limit=1`;
    while (
      !(await client.request(path).then(
        () => true,
        () => false,
      ))
    )
      await after(50);
  }
};

const installAll = async (client: Client, definitions: readonly Definition[]): Promise<void> => {
  await Promise.all(definitions.map((definition) => install(client, definition)));
};

/** Downloads what is needed, so that a start does not have to. */
export const prepareGatewayApi = async (): Promise<void> => {
  await gatewayApiFolder("standard");
  await gatewayApiFolder("experimental");
};

export const installGatewayApi = async (client: Client, served: GatewayApi): Promise<void> =>
  installAll(client, await gatewayApiDefinitions(served));

/** KEDA's ScaledObjects. */
export const installKeda = async (client: Client): Promise<void> =>
  installAll(
    client,
    readFolder(await kedaFolder()).filter(({ spec }) => spec.names.kind === "ScaledObject"),
  );

export const installOurs = async (client: Client): Promise<void> => installAll(client, readFolder(ourFolder));
