/**
 * A dataplane: receives configs from a discovery server or a file, runs a relay, and serves probes and metrics at the
 * addresses in the config.
 */
import type { Logger } from "pino";
import { wallMs } from "../clock.ts";
import { dataplaneStatus, type DataplaneStatus } from "../admin/dataplane-status.ts";
import { followEndpoint } from "../admin/follow.ts";
import { createMetrics } from "../admin/metrics.ts";
import { dataplaneListener, metricsListener } from "../admin/probes.ts";
import { startAdmin, type AdminBinding, type AdminServer } from "../admin/server.ts";
import { runningOf } from "../admin/running.ts";
import type { EngineName } from "../dataplane/engines/index.ts";
import { localAddresses } from "../dataplane/placement.ts";
import type { Relay, RelayTuning } from "../dataplane/relay.ts";
import type { WriterOptions } from "../journal/writer.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import type { Name } from "../resources/keys.ts";
import type { Source } from "../watchers/source.ts";
import type { Loop } from "./loop.ts";
import { dataplaneOptions } from "./options.ts";
import { createOrders } from "./orders.ts";
import { createRelaying } from "./relaying.ts";
import type { AccountingPlan } from "./accounting/index.ts";
import type { Tracer } from "./traces/tracer.ts";

export interface DataplaneOptions {
  /** Called for each start: the source of configs, and its name for messages. */
  readonly origin: string;
  readonly source: () => Source;
  /** Folder of the event log. */
  readonly journal: string;
  readonly journalOptions?: WriterOptions;
  readonly engine?: EngineName | undefined;
  /** Number of relay threads. */
  readonly workers?: number | undefined;
  /** Relay settings that are not in configs. */
  readonly relay?: RelayTuning;
  /** Turnpike's own admin API, if it is enabled. */
  readonly admin?: AdminBinding;
  /** `/ready` always succeeds. */
  readonly forceReady?: boolean;
  /** Traces each watch event, up to the active config. */
  readonly tracer?: Tracer | undefined;
  /** Sends usage records of calls. */
  readonly accounting?: AccountingPlan | undefined;
  readonly log: Logger;
}

export interface Dataplane {
  readonly loop: Loop;
  readonly relay: Relay;
  readonly admin: AdminServer | undefined;
  status(): Promise<DataplaneStatus>;
  /** Resolves when the first config is active: its listeners serve or have failed. */
  readonly started: Promise<void>;
  /** Serves until the last allocation has closed, then resolves. */
  drain(reason: string): Promise<void>;
  /** Closes everything, including calls. Resolves to gateways that could not be removed within `limitMs`. */
  stop(limitMs?: number): Promise<readonly string[]>;
}

const HEALTH_PORT = 8086;
const METRICS_PORT = 8080;
/** Address of probes until a config sets one. */
const HEALTH_AT = `http://:${HEALTH_PORT}`;

/** @throws TurnpikeError `journal-busy`; the error of binding the admin address. */
export const startDataplane = async (options: DataplaneOptions): Promise<Dataplane> => {
  const { log } = options;
  const relaying = createRelaying({
    render: dataplaneOptions(options.relay?.deniesPrivate === true ? { deniesPrivate: true } : {}),
    journal: options.journal,
    journalOptions: options.journalOptions,
    relay: {
      place: { by: "config" },
      own: localAddresses().map(({ address }) => address),
      engine: options.engine ?? "auto",
      workers: options.workers ?? 0,
      ...options.relay,
    },
    address: "",
    tracer: options.tracer,
    accounting: options.accounting,
    log,
  });
  const { loop, relay, sources } = relaying;
  const { core } = loop;
  let isStarted = false;

  const config = (): DataplaneConfig | undefined => {
    const [gateway] = core.registry.entities("gateway").keys();
    return gateway === undefined ? undefined : core.rendered(gateway as Name)?.config;
  };
  // Ready while it drains, too: Kubernetes forwards packets of open calls only to ready pods.
  const isReady = (): boolean => isStarted && (relaying.state === "leading" || relaying.state === "draining");
  const status = async (): Promise<DataplaneStatus> => {
    const summary = await relay.summary();
    const stage = relaying.state === "draining" ? "TERMINATING" : isReady() ? "READY" : "NOT-READY";
    return dataplaneStatus(config(), summary, stage, wallMs());
  };
  const metrics = createMetrics(relaying.metricSources);

  const unserved = (what: string) => (reason: string) => {
    log.error({ reason }, `${what} cannot be served`);
    relaying.tell({ type: "effect.failed", data: { effect: "serve", target: what, reason } }, "dataplane");
  };
  const probes = dataplaneListener(() => options.forceReady === true || isReady(), status);
  const health = followEndpoint(HEALTH_PORT, () => probes, unserved("health"));
  const scrapes = followEndpoint(METRICS_PORT, (path) => metricsListener(metrics, path), unserved("metrics"));
  const notReady = (): string | undefined => (isReady() ? undefined : `dataplane is ${relaying.state}`);
  const admin =
    options.admin &&
    (await startAdmin({
      ...options.admin,
      journal: options.journal,
      running: runningOf(sources, notReady, metrics, createOrders(core, relaying.tell)),
    }).catch(async (error: unknown) => {
      relaying.stopping("the admin API could not be bound");
      await relaying.stop(0);
      throw error;
    }));

  loop.onFold(({ changes }) => {
    for (const change of changes) {
      if (change.config === undefined) continue;
      void health.at(change.config.admin.healthcheck_endpoint ?? HEALTH_AT);
      void scrapes.at(change.config.admin.metrics_endpoint ?? "");
    }
  });
  const started = relaying.follow("config", options.source).then(() => {
    isStarted = true;
  });
  // A pod must pass its liveness probe while it waits for its first config.
  if (config() === undefined) void health.at(HEALTH_AT);

  return {
    loop,
    relay,
    admin,
    status,
    started,
    async drain(reason) {
      relaying.stopping(reason);
      await relaying.drained();
    },
    async stop(limitMs = 5000) {
      if (relaying.state !== "draining") relaying.stopping("at once");
      const left = await relaying.stop(limitMs);
      await Promise.all([health.close(), scrapes.close(), admin?.close()]);
      return left;
    },
  };
};
