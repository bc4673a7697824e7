/**
 * `turnpike auth [GATEWAY]`: credentials for clients, generated here from a Gateway's config, or by the authentication
 * service.
 */
import { Command, InvalidArgumentError } from "commander";
import { DEFAULT_TTL_SECONDS, iceConfigOf, turnAuthOf, type TurnAuth } from "../credentials/turn-auth.ts";
import { fetchConfig, fetchConfigs } from "../discovery/fetch.ts";
import { partsOf } from "../discovery/protocol.ts";
import { TurnpikeError } from "../errors.ts";
import {
  addDiscoveryOptions,
  gatewayId,
  namespaceFor,
  reachDiscovery,
  type DiscoveryFlags,
} from "./discovery-options.ts";
import { outputOption, parseFormat, print, withProgress, type Format } from "./output.ts";
import { table } from "./table.ts";

export interface AuthFlags extends DiscoveryFlags {
  readonly allNamespaces?: boolean;
  readonly listener?: string;
  readonly username?: string;
  readonly ttl?: number;
  readonly publicAddr?: string;
  readonly turnCredential?: boolean;
  readonly output: Format;
}

const wholeSeconds = (text: string): number => {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError("expected a whole number of seconds");
  return Number(text);
};

const rows = (auths: readonly TurnAuth[]): string =>
  table(
    ["USERNAME", "PASSWORD", "URI"],
    auths.flatMap(({ username, password, uris }) =>
      uris.map((uri, place) => (place === 0 ? [username || "-", password || "-", uri] : ["", "", uri])),
    ),
  );

const authsOf = async (gateway: string | undefined, flags: AuthFlags): Promise<readonly TurnAuth[]> => {
  const id = gateway === undefined ? undefined : await gatewayId(gateway, flags);
  const namespace = id === undefined && flags.allNamespaces !== true ? await namespaceFor(flags) : undefined;
  const { target, close } = await reachDiscovery(flags);
  try {
    const asked =
      id === undefined
        ? fetchConfigs({ ...target, ...(namespace !== undefined && { namespace }) })
        : fetchConfig({ ...target, id }).then((one) => [one]);
    const configs = await withProgress("asking for the configs", asked);
    const parts = id === undefined ? undefined : partsOf(id);
    const query = {
      username: flags.username,
      ttlSeconds: flags.ttl ?? DEFAULT_TTL_SECONDS,
      namespace: parts?.namespace,
      gateway: parts?.name,
      listener: flags.listener,
      publicAddress: flags.publicAddr,
    };
    return configs.flatMap((config) => turnAuthOf(config, query, Date.now()) ?? []);
  } finally {
    close();
  }
};

const makeHere = async (gateway: string | undefined, flags: AuthFlags): Promise<void> => {
  const auths = await authsOf(gateway, flags);
  const [first] = auths;
  if (first === undefined)
    throw new TurnpikeError(
      "gateway-unknown",
      `${gateway === undefined ? "no Gateway" : gateway} has no such listener`,
    );
  const value = flags.turnCredential === true ? first : iceConfigOf(auths);
  await print(flags.output, value, () => rows(flags.turnCredential === true ? [first] : auths));
};

export const authCommand = (): Command =>
  addDiscoveryOptions(new Command("auth"))
    .description("make credentials for clients of a Gateway; as JSON they are an RTCConfiguration")
    .argument("[gateway]", "NAME or NAMESPACE/NAME (default: all of the namespace)")
    .option("-A, --all-namespaces", "of all namespaces")
    .option("--listener <name>", "only for this listener")
    .option("-u, --username <id>", "user-id of time-limited credentials")
    .option("--ttl <seconds>", `how long those are good for (default: ${DEFAULT_TTL_SECONDS})`, wholeSeconds)
    .option("--public-addr <address>", "address in the URIs, instead of the listeners' own")
    .option("--turn-credential", "user, password, ttl and uris of one Gateway, instead of an RTCConfiguration")
    .addOption(outputOption().default(parseFormat("json"), "json"))
    .action(makeHere);
