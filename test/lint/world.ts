/** Manifests in which all is well, to be changed in one place. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import type { AnyObject } from "../../src/resources/kinds.ts";
import * as manifests from "../support/manifests.ts";
import { STUNNER } from "../support/manifests.ts";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** Tests put in what a type forbids, and read it back as YAML does. */
const anyhow = (object: AnyObject): Manifest => object as unknown as Manifest;

export const gatewayClass = (spec: object = {}): Manifest =>
  anyhow(manifests.gatewayClass("media", "media/config", { ...spec }));

export const gatewayConfig = (
  spec: object = { authType: "static", userName: "user-1", password: "pass-1" },
  name = "config",
): Manifest => anyhow(manifests.gatewayConfig(`media/${name}`, { ...spec }));

export const listener = (name: string, protocol: string, port: number, more: object = {}) => ({
  name,
  protocol,
  port,
  ...more,
});

export const gateway = (
  listeners: readonly unknown[] = [listener("udp", "TURN-UDP", 3478)],
  annotations: Readonly<Record<string, string>> = {},
  name = "gateway",
  className = "media",
): Manifest =>
  anyhow(manifests.withMetadata(manifests.gateway(`media/${name}`, className, listeners), { annotations }));

export const route = (spec: object = {}, group = STUNNER, namespace = "media"): Manifest => {
  const build = group === STUNNER ? manifests.udpRoute : manifests.gatewayApiRoute;
  const whole = build(`${namespace}/route`, [{ name: "gateway" }], [{ name: "server" }]);
  return anyhow({ ...whole, spec: { ...whole.spec, ...spec } });
};

export const backends = (...backendRefs: readonly object[]): Manifest => route({ rules: [{ backendRefs }] });

export const service = (spec: object = {}, name = "server", namespace = "media"): Manifest =>
  anyhow(manifests.service(`${namespace}/${name}`, { ...manifests.somePorts, ...spec }));

export const slice = (...addresses: readonly string[]): Manifest =>
  anyhow(
    manifests.endpointSlice(
      "media/server-1",
      "server",
      addresses.map((address) => ({ address })),
    ),
  );

export const staticService = (...prefixes: readonly string[]): Manifest =>
  anyhow(manifests.staticService("media/static", prefixes));

export const toStatic = (): Manifest => backends({ group: STUNNER, kind: "StaticService", name: "static" });

const keyOf = ({ kind, apiVersion, metadata: { namespace = "", name } }: Manifest): string =>
  [kind, apiVersion.split("/")[0], namespace, name].join(" ");

/** All is well but for `changes`, each instead of the object of its name, and without `removed` kinds. */
export const world = (changes: readonly Manifest[] = [], removed: readonly string[] = []): readonly Manifest[] => {
  const all = [gatewayClass(), gatewayConfig(), gateway(), route(), service(), slice("10.1.2.3")];
  const objects = new Map(all.filter(({ kind }) => !removed.includes(kind)).map((one) => [keyOf(one), one] as const));
  for (const change of changes) objects.set(keyOf(change), change);
  return [...objects.values()];
};

/** Calls `use` with a folder that holds them. */
export const inFolder = async <T>(objects: readonly Manifest[], use: (folder: string) => Promise<T>): Promise<T> => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-lint-"));
  try {
    writeFileSync(join(folder, "manifests.yaml"), objects.map((one) => stringify(one)).join("---\n"));
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
};
