/** A test allocation at a listener: connect, allocate, create a permission, delete the allocation. */
import { isIPv6 } from "node:net";
import { performance } from "node:perf_hooks";
import { publicAddressOf, publicPortOf, turnUrisOf } from "../credentials/public-address.ts";
import { turnAuthOf } from "../credentials/turn-auth.ts";
import { peerOf } from "../doctor/calls.ts";
import type { Call } from "../doctor/evidence.ts";
import { formatHostPort } from "../net/host-port.ts";
import type { DataplaneConfig, ListenerConfig } from "../resources/dataplane-config.ts";
import { TurnClient, TurnResponseError, type TurnClientOptions } from "../turn-client/turn-client.ts";
import { resolveHost, transportOf } from "./connect-server.ts";
import { allocateHints, hints as commonHints, withHint } from "./turn-hints.ts";

export interface TestCallOptions extends Pick<TurnClientOptions, "insecure" | "serverName" | "ca"> {
  /** For each answer. */
  readonly timeoutMs: number;
}

/** The credentials are those of the objects. */
const CREDENTIALS = { 401: "the dataplane has other credentials than the objects in the cluster" };
const hints = { ...commonHints, ...CREDENTIALS };

type Failure = NonNullable<Call["failure"]>;

const kindOf = (error: unknown): Failure["kind"] => {
  if (error instanceof TurnResponseError) return "refused";
  return /certificate|self.signed|altname|issuer/i.test(String(error)) ? "certificate" : "unanswered";
};

/** Lifetime of the credentials: enough for the allocation. */
const TTL_SECONDS = 300;

/** @param config with the values of its secrets. */
export const testCall = async (
  config: DataplaneConfig,
  listener: ListenerConfig,
  { timeoutMs, serverName, ...verification }: TestCallOptions,
): Promise<Call> => {
  const startedAt = performance.now();
  const [uri = ""] = turnUrisOf(listener);
  const base = { listener: listener.name, uri };
  let step = "connect";
  let known: typeof commonHints = hints;
  let relayed: string | undefined;
  let client: TurnClient | undefined;
  const done = (more: Partial<Call>): Call => ({
    ...base,
    ...(relayed === undefined ? {} : { relayed }),
    ...more,
    milliseconds: performance.now() - startedAt,
  });
  try {
    const name = publicAddressOf(listener);
    const auth = turnAuthOf(config, { username: "doctor", ttlSeconds: TTL_SECONDS }, Date.now());
    client = await TurnClient.connect({
      ...verification,
      serverName: serverName ?? name,
      host: await resolveHost(name),
      port: publicPortOf(listener),
      transport: transportOf[listener.protocol],
      timeoutMilliseconds: timeoutMs,
      ...(auth === undefined ? {} : { username: auth.username, password: auth.password }),
    });
    if (config.auth.type === "none") {
      step = "binding";
      await client.binding();
      return done({});
    }
    const peer = peerOf(config, listener);
    step = "allocate";
    known = { ...allocateHints, ...CREDENTIALS };
    const allocated = await client.allocate({ family: peer !== undefined && isIPv6(peer) ? "ipv6" : "ipv4" });
    relayed = allocated.relayed.map(({ address, port }) => formatHostPort({ host: address, port })).join(", ");
    known = hints;
    if (peer !== undefined) {
      step = `permission for ${peer}`;
      await client.createPermission(peer);
    }
    step = "refresh";
    await client.refresh(0);
    return done(peer === undefined ? {} : { peer });
  } catch (error) {
    return done({ failure: { step, kind: kindOf(error), says: withHint(error, known) } });
  } finally {
    // Also deletes what a failed step leaves.
    if (step !== "refresh" && relayed !== undefined) await client?.refresh(0).catch(() => undefined);
    client?.close();
  }
};
