/** The HTTP servers of an operator: probes, metrics, and the admin API with its page. */
import type { Registry } from "@prometheus-io/client";
import { createLatestRefusals } from "../admin/latest-refusals.ts";
import { createMetrics } from "../admin/metrics.ts";
import { metricsListener, probeListener } from "../admin/probes.ts";
import { profileListener } from "../admin/profiles.ts";
import { runningOf } from "../admin/running.ts";
import { startAdmin, type AdminBinding } from "../admin/server.ts";
import { nothingOpen, type RelayState } from "../dataplane/relay.ts";
import { serveHttp, type HttpEndpoint, type Handler } from "../http.ts";
import { release } from "../release.ts";
import type { Operator } from "./operator.ts";

/** Without a host it is every address of both families. */
interface At {
  readonly host?: string | undefined;
  readonly port: number;
}

export interface OperatorServersOptions {
  readonly operator: Operator;
  /** The operator's metrics. */
  readonly registry: Registry;
  /** Folder of the event log. */
  readonly journal: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Absent servers are not started. */
  readonly health?: At | undefined;
  readonly metrics?: At | undefined;
  /** CPU and heap profiles. */
  readonly profiles?: At | undefined;
  readonly admin?: AdminBinding | undefined;
}

export interface OperatorServers {
  /** The bound addresses. */
  readonly ports: {
    readonly health?: number;
    readonly metrics?: number;
    readonly profiles?: number;
    readonly admin?: number;
  };
  close(): Promise<void>;
}

const withoutRelay: RelayState = {
  open: nothingOpen,
  waiting: 0,
  listeners: [],
  allocations: [],
  refused: {},
  dropped: {},
  clusters: [],
  denied: {},
  opened: {},
  closed: {},
  moved: {},
  offload: undefined,
};

/** @throws the error of binding one of the addresses. */
export const serveOperator = async (options: OperatorServersOptions): Promise<OperatorServers> => {
  const { operator, registry, startedAt, journal: folder } = options;
  const { core } = operator.loop;
  const relay = operator.relay ?? { state: () => withoutRelay, summary: () => Promise.resolve(withoutRelay) };
  const journal = { folder, lastSeq: operator.journalSeq, refusal: operator.journalRefusal };
  const metrics = createMetrics(
    {
      core,
      relay,
      facts: operator.facts,
      journal,
      accounting: operator.accounting?.counts,
      apiRequests: operator.requests,
    },
    registry,
  );
  const refusals = createLatestRefusals();
  operator.loop.onFact(refusals.note);
  const notReady = (): string | undefined => {
    const { state } = operator;
    // Kubernetes forwards packets of open calls only to ready pods.
    const drainsCalls = state === "draining" && operator.relay !== undefined;
    return state === "leading" || state === "standby" || drainsCalls ? undefined : `operator is ${state}`;
  };
  // What the API server accepts is valid.
  const rejections = () => [];
  const running = runningOf(
    { core, relay, journal, rejections, refusals: refusals.of, release, startedAt },
    notReady,
    metrics,
  );

  const open: HttpEndpoint[] = [];
  const kept = async <E extends HttpEndpoint>(server: Promise<E> | undefined): Promise<number | undefined> => {
    if (server === undefined) return undefined;
    const endpoint = await server;
    open.push(endpoint);
    return endpoint.port;
  };
  const serve = (at: At | undefined, handler: Handler) => kept(at && serveHttp(at.host, at.port, handler));
  const health = await serve(options.health, probeListener(notReady));
  const scrapes = await serve(options.metrics, metricsListener(metrics));
  const profiles = await serve(options.profiles, profileListener);
  const admin = await kept(options.admin && startAdmin({ ...options.admin, journal: folder, running }));
  return {
    ports: {
      ...(health === undefined ? {} : { health }),
      ...(scrapes === undefined ? {} : { metrics: scrapes }),
      ...(profiles === undefined ? {} : { profiles }),
      ...(admin === undefined ? {} : { admin }),
    },
    async close() {
      await Promise.all(open.map((endpoint) => endpoint.close()));
    },
  };
};
