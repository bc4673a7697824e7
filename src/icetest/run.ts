/**
 * An ICE test from end to end in a cluster: a Gateway for each transport, a WebRTC peer behind it, and a local peer that
 * may use only the Gateway. Asymmetric: only the local peer is relayed. Symmetric: both are.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as after } from "node:timers/promises";
import type { IceConfig } from "../credentials/turn-auth.ts";
import { messageOf, TurnpikeError } from "../errors.ts";
import type { Api } from "../kubernetes/api.ts";
import { measure, type Measured, type MeasureOptions } from "./measure.ts";
import { loadWebRtc } from "./peer.ts";
import {
  BACKEND,
  gatewayOf,
  objectsOf,
  TURN_PORT,
  type ClusterObject,
  type TestSettings,
  type Transport,
} from "./objects.ts";
import { apply, read, remove, until } from "./objects-in-cluster.ts";
import { dialWhip, type DialOptions, type WhipConnection } from "./whip-client.ts";

export interface IceTestOptions extends MeasureOptions {
  readonly api: Api;
  readonly settings: Omit<TestSettings, "dataplane" | "sharedSecret" | "bearerToken">;
  /** Removes an existing namespace of that name. */
  readonly forceCleanup: boolean;
  /** Of a Gateway, by `NAMESPACE/NAME`; while config discovery does not know it, the reason as text. */
  readonly iceConfig: (gateway: string) => Promise<IceConfig | string>;
  /** `HOST:PORT` at which the remote end accepts WHIP offers. */
  readonly reachBackend: () => Promise<{ readonly at: string; close(): void }>;
  readonly report: (step: Step) => void;
  /** Aborts the test at any step; created objects are removed. */
  readonly signal: AbortSignal;
}

export interface Step {
  readonly step: string;
  readonly over?: Transport;
  readonly state: "begun" | "completed" | "error";
  readonly result?: Result;
}

export interface Result extends Measured {
  readonly transport: Transport;
  readonly test: "asymmetric" | "symmetric";
}

/** Pause between two attempts to connect. */
const PAUSE_MS = 1000;
/** Time limits of one attempt to connect, and of all. */
const TRY_MS = 30_000;
const DIAL_MS = 90_000;
const GONE_MS = 60_000;

interface Gateway {
  readonly status?: {
    readonly addresses?: readonly { readonly value: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[];
  };
}

interface Pod {
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly {
      readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
    }[];
  };
}

const DEFAULT_DATAPLANE: ClusterObject = {
  apiVersion: "stunner.l7mp.io/v1",
  kind: "Dataplane",
  metadata: { name: "default" },
};

const fail = (why: string): never => {
  throw new TurnpikeError("icetest-failed", why);
};

/** The same servers at another address. */
const at = (config: IceConfig, address: string): IceConfig["iceServers"] =>
  config.iceServers.map((server) => ({
    ...server,
    urls: server.urls.map((url) => url.replace(/^(turns?:)[^?]*/, `$1${address}:${TURN_PORT}`)),
  }));

/** @throws TurnpikeError `icetest-failed`, `package-missing`; ApiError. Created objects are removed in all cases. */
export const runIceTest = async (options: IceTestOptions): Promise<readonly Result[]> => {
  const { api, settings, report } = options;
  const { namespace, transports } = settings;
  const place: ClusterObject = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
  const results: Result[] = [];
  let made: readonly ClusterObject[] = [];
  let making: Promise<unknown> = Promise.resolve();

  const aborted = new Promise<never>((_, reject) => {
    options.signal.addEventListener("abort", () => reject(options.signal.reason as Error), { once: true });
  });
  // It is awaited only in steps.
  aborted.catch(() => undefined);

  /** What is waited for, and its state. */
  let awaited: string | undefined;
  /** The limit of the whole test. */
  const untilThere = <T extends object>(what: string, look: () => Promise<T | string>): Promise<T> =>
    until(what, Number.POSITIVE_INFINITY, async () => {
      options.signal.throwIfAborted();
      const found = await look();
      awaited = typeof found === "string" ? `${what}: ${found}` : undefined;
      return found;
    });

  const step = async <T>(name: string, work: () => Promise<T>, over?: Transport): Promise<T> => {
    const common = { step: name, ...(over !== undefined && { over }) };
    report({ ...common, state: "begun" });
    try {
      const value = await Promise.race([work(), aborted]);
      report({ ...common, state: "completed" });
      return value;
    } catch (error) {
      report({ ...common, state: "error" });
      if (options.signal.aborted && awaited !== undefined) fail(`${messageOf(error)}, waiting for ${awaited}`);
      throw error;
    }
  };

  const make = async (): Promise<void> => {
    for (const object of made) {
      options.signal.throwIfAborted();
      await apply(api, object);
    }
  };

  const cleanUp = async (): Promise<void> => {
    // Nothing may be created after the removal.
    await making.catch(() => undefined);
    for (const object of made.toReversed()) await remove(api, object);
    await until(`the end of namespace ${namespace}`, GONE_MS, async () =>
      (await read(api, place)) === undefined ? {} : "it is still there",
    );
  };

  const initialize = async (): Promise<void> => {
    await loadWebRtc();
    if ((await read(api, place)) === undefined) return;
    if (!options.forceCleanup)
      fail(`namespace ${namespace} is there already; --force-cleanup removes it, with all that is in it`);
    made = [place];
    await cleanUp();
    made = [];
  };

  const checkInstallation = async (): Promise<Readonly<Record<string, unknown>>> => {
    const found = await read<{ readonly spec?: Readonly<Record<string, unknown>> }>(api, DEFAULT_DATAPLANE);
    return found?.spec ?? fail("there is no Dataplane named default: is the operator installed?");
  };

  const addressed = (transport: Transport): Promise<object> =>
    untilThere(`an address of Gateway ${gatewayOf(transport)}`, async () => {
      const gateway = { apiVersion: "gateway.networking.k8s.io/v1", kind: "Gateway" };
      const found = await read<Gateway>(api, { ...gateway, metadata: { name: gatewayOf(transport), namespace } });
      if (found?.status?.addresses?.[0] !== undefined) return {};
      const { conditions = [] } = found?.status ?? {};
      return conditions.find(({ status }) => status === "False")?.message ?? "no operator has taken it";
    });

  const backendReady = async (): Promise<void> => {
    await untilThere("the far end", async () => {
      const pod = await read<Pod>(api, { apiVersion: "v1", kind: "Pod", metadata: { name: BACKEND, namespace } });
      const { conditions = [], containerStatuses = [], phase } = pod?.status ?? {};
      if (conditions.some(({ type, status }) => type === "Ready" && status === "True")) return {};
      const { reason, message = "" } = containerStatuses[0]?.state?.waiting ?? {};
      return reason === undefined ? `its pod is ${phase ?? "not there"}` : `${reason} ${message}`.trim();
    });
  };

  try {
    await step("Initializing", initialize);
    const dataplane = await step("Checking installation", checkInstallation);
    const [sharedSecret, bearerToken] = [randomBytes(18).toString("base64url"), randomBytes(18).toString("base64url")];
    const objects = objectsOf({ ...settings, dataplane, sharedSecret, bearerToken });
    for (const transport of transports)
      await step(
        "Checking Gateway",
        async () => {
          if (made.length === 0) {
            made = objects;
            making = make();
            await making;
            await backendReady();
          }
          await addressed(transport);
        },
        transport,
      );

    const configs = new Map<Transport, IceConfig>();
    await step("Obtaining ICE server configuration", async () => {
      for (const transport of transports)
        configs.set(
          transport,
          await untilThere(`the config of ${gatewayOf(transport)}`, () =>
            options.iceConfig(`${namespace}/${gatewayOf(transport)}`),
          ),
        );
    });

    const backend = await options.reachBackend();
    try {
      const tell = async (iceServers: IceConfig["iceServers"], policy: "all" | "relay"): Promise<void> => {
        const response = await fetch(`http://${backend.at}/config`, {
          method: "POST",
          signal: options.signal,
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ ICEServers: iceServers, ICETransportPolicy: policy }),
        });
        if (!response.ok) fail(`the far end answered ${response.status}: ${await response.text()}`);
      };
      /** A dataplane that does not know the remote end yet rejects it, and ICE does not retry. */
      const dial = async (to: DialOptions): Promise<WhipConnection> => {
        const end = performance.now() + DIAL_MS;
        for (;;)
          try {
            return await dialWhip(to);
          } catch (error) {
            if (options.signal.aborted || performance.now() > end) throw error;
            // Without a pause, an immediate failure would be retried in a busy loop.
            await after(PAUSE_MS);
          }
      };
      const test = async (transport: Transport, kind: Result["test"]): Promise<Result> => {
        const config = configs.get(transport) ?? fail(`no config of ${gatewayOf(transport)}`);
        if (kind === "asymmetric") await tell([], "all");
        else await tell(at(config, `${gatewayOf(transport)}.${namespace}.svc`), "relay");
        const connection = await dial({
          url: `http://${backend.at}/whip`,
          bearerToken,
          iceServers: config.iceServers,
          iceTransportPolicy: "relay",
          timeoutMs: TRY_MS,
        });
        try {
          const measured = await measure(connection.channel, options);
          if (measured.lost === measured.sent) fail(`none of ${measured.sent} messages came back`);
          return { transport, test: kind, ...measured };
        } finally {
          await connection.close();
        }
      };
      for (const kind of ["asymmetric", "symmetric"] as const)
        for (const transport of transports) {
          const result = await step(`Running ${kind} ICE test`, () => test(transport, kind), transport);
          results.push(result);
          report({ step: "Statistics", over: transport, state: "completed", result });
        }
    } finally {
      backend.close();
    }
  } finally {
    if (made.length > 0) await cleanUp();
  }
  return results;
};
