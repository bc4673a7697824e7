/** Everything for a cluster: watches Kubernetes, writes to Kubernetes, and serves configs to dataplanes. */
import { hostname } from "node:os";
import type { Logger } from "pino";
import { localAddresses } from "../dataplane/placement.ts";
import type { Relay } from "../dataplane/relay.ts";
import { createFactTally, type FactTally } from "../admin/fact-tally.ts";
import { HEARTBEAT_MS, type OperatorMeter } from "../admin/operator-metrics.ts";
import { readAccess, type AccessFiles } from "../discovery/access-files.ts";
import type { DiscoveryServer } from "../discovery/server.ts";
import { createEventRecorder } from "../effects/events.ts";
import { createReconciler } from "../effects/reconcile.ts";
import type { Fact, Happening } from "../journal/fact.ts";
import { createVault } from "../journal/vault.ts";
import { openJournal, type WriterOptions } from "../journal/writer.ts";
import { connect } from "../kubernetes/connect.ts";
import { release } from "../release.ts";
import type { Name } from "../resources/keys.ts";
import type { RenderOptions } from "../resources/view.ts";
import { watchCluster, type ListWatchOptions } from "../watchers/kubernetes/index.ts";
import { factOf, tellOfDisk } from "./facts.ts";
import { startCertificateClock } from "./certificate-clock.ts";
import { startConfigDiscovery } from "./config-discovery.ts";
import { startDeletionCosts, type DeletionCostOptions } from "./deletion-costs.ts";
import { createElection, type ElectionOptions } from "./election.ts";
import { createLoop, type Loop } from "./loop.ts";
import { attachRelay } from "./relay.ts";
import { startAccounting, type Accounting, type AccountingPlan } from "./accounting/index.ts";
import { traceLoop } from "./traces/observe.ts";
import type { Tracer } from "./traces/tracer.ts";

export interface OperatorOptions {
  readonly kubeconfig?: string;
  /** Namespaces of the watched Gateways, routes and the objects that they refer to; all namespaces if absent. */
  readonly namespaces?: readonly string[] | undefined;
  readonly render: RenderOptions;
  readonly journal: string;
  readonly journalOptions?: WriterOptions;
  readonly discovery: {
    readonly host: string;
    readonly port: number;
    /** TLS and a token, if such files exist. */
    readonly files?: AccessFiles;
    /** How often they are read again, in ms. */
    readonly filesEveryMs?: number;
  };
  /** Absent: no election; this process leads at once. */
  readonly lease?: ElectionOptions["lease"];
  /** Whether `stop` removes everything that is managed. */
  readonly finalizer: boolean;
  /** How long calls through the embedded relay may delay a stop, in ms; without limit if absent. */
  readonly drainMs?: number;
  /** This process relays, too: the value of `$STUNNER_ADDR`, which is its pod's address. */
  readonly relay?: {
    readonly address: string;
    /** Sends usage records of calls. */
    readonly accounting?: AccountingPlan | undefined;
  };
  /** Keeps the deletion cost of dataplanes' pods; not if absent. */
  readonly deletionCosts?: DeletionCostOptions | undefined;
  readonly listWatch?: Omit<Partial<ListWatchOptions>, "path">;
  /** Timeout of requests to the API server, in milliseconds. */
  readonly requestTimeoutMs?: number;
  /** Receives metrics. */
  readonly meter?: OperatorMeter;
  /** Traces each watch event, up to the dataplane that receives the config. It is closed with the operator. */
  readonly tracer?: Tracer | undefined;
  readonly log: Logger;
}

export interface Operator {
  readonly loop: Loop;
  /** Of this process, if it relays. */
  readonly relay: Relay | undefined;
  readonly discovery: DiscoveryServer;
  /** Requests made to the API server, by method. */
  readonly requests: Readonly<Record<string, number>>;
  readonly state: string;
  /** Metrics of the event log. */
  readonly facts: FactTally;
  /** Of the calls through the relay of this process. */
  readonly accounting: Accounting | undefined;
  readonly journalSeq: () => number;
  /** Why the disk rejects lines of the log; undefined while it accepts them. */
  readonly journalRefusal: () => string | undefined;
  /** Resolves once no write is in progress; writes that wait for a retry do not count. */
  idle(): Promise<void>;
  /** Pending writes, including retries. */
  readonly left: readonly string[];
  /** Resolves to the effects that failed within `limitMs`. */
  stop(reason: string, limitMs?: number): Promise<readonly string[]>;
}

const NEVER = new Promise<void>(() => undefined);
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());
/** Part of the time to finalize: how long failed writes are retried. */
const FINALIZING_RETRIES_MS = 5000;
/** How long the last usage records are sent when the process stops. */
const ACCOUNTING_LIMIT_MS = 5000;

/** @throws TurnpikeError `journal-busy`, `discovery-file`; the error of binding the discovery address or of reading the kubeconfig. */
export const startOperator = async (options: OperatorOptions): Promise<Operator> => {
  const { log, finalizer, meter } = options;
  const { files = {}, filesEveryMs, ...bind } = options.discovery;
  const access = readAccess(files);
  const legacy = options.render.mode === "legacy";
  const render: RenderOptions = { ...options.render, discoveryTls: access.tls !== undefined };
  const api = await connect(options.kubeconfig, options.requestTimeoutMs);
  const vault = createVault();
  const journal = openJournal(options.journal, { onDisk: tellOfDisk(log), ...options.journalOptions });
  const loop = createLoop(journal, render);
  const certificates = startCertificateClock(loop);
  const { core } = loop;
  const facts = createFactTally();
  loop.onFact(facts.note);
  const traces = options.tracer && traceLoop({ tracer: options.tracer, loop, relays: options.relay !== undefined });
  const report = (happenings: readonly Happening[]): void => void loop.take(happenings);
  const tell = (fact: Fact, source: string): void => report([{ fact, source, cause: null }]);
  const operatorState = (): string => core.registry.state("operator", "operator") ?? "stopped";

  const discovery = await startConfigDiscovery({
    bind,
    access,
    files,
    filesEveryMs,
    core,
    vault,
    report,
    onEvent: (event) => {
      log.debug(event, "discovery");
      traces?.told(event);
    },
    log,
  }).catch((error: unknown) => {
    journal.close();
    throw error;
  });

  // Before configs are revealed: keeps the secrets that they need.
  loop.onFold(() => vault.hold(core.certificateDigests));
  const embedded =
    options.relay &&
    attachRelay({
      loop,
      vault,
      relay: {
        place: { by: "config" },
        own: localAddresses().map(({ address }) => address),
        usageSeconds: options.relay.accounting?.settings.intervalSeconds,
      },
      address: options.relay.address,
      log,
    });
  const reconciler = createReconciler({
    api,
    core,
    vault,
    report,
    onWrite: (write) => {
      meter?.wrote(write);
      traces?.wrote(write);
      settle();
    },
  });
  const settle = (): void => {
    if (reconciler.isDone) meter?.settled();
  };
  meter?.beat();
  const heartbeat = setInterval(() => meter?.beat(), HEARTBEAT_MS / 2).unref();
  const events = createEventRecorder({ api, core, leads: () => operatorState() === "leading", instance: hostname() });
  loop.onFold((fold, seconds) => {
    reconciler.folded(fold);
    meter?.folded(seconds);
    settle();
    events.folded(fold);
    for (const { gateway, config, cause } of fold.changes) {
      if (!legacy) discovery.serve(gateway, config, cause);
      // Without a relay in this process there are no listeners to close first.
      if (embedded === undefined && core.registry.state("gateway", gateway) === "terminating")
        report([{ fact: { type: "gateway.removed", data: { gateway, allocations: 0 } }, source: "discovery", cause }]);
    }
  });
  const deletionCosts =
    options.deletionCosts &&
    startDeletionCosts({ ...options.deletionCosts, api, loop, namespaces: options.namespaces, log });
  const lead = (leads: boolean): void => {
    reconciler.lead(leads);
    deletionCosts?.lead(leads);
  };
  loop.onFact((fact) => {
    meter?.took(fact);
    reconciler.observed(fact);
    events.took(fact);
    if (fact.type === "lease.acquired") lead(true);
    else if (fact.type === "lease.lost") lead(false);
    else if (fact.type === "object.seen" && fact.data.kind === "Node")
      discovery.server.nodeChanged(fact.data.object.metadata.name);
  });

  const accounting =
    options.relay?.accounting &&
    startAccounting({ ...options.relay.accounting, folder: options.journal, journal, loop, tell, log });
  if (journal.tornBytes > 0) tell({ type: "journal.recovered", data: { tornBytes: journal.tornBytes } }, "journal");
  for (const fact of accounting?.interrupted ?? []) tell(fact, "journal");
  tell({ type: "operator.started", data: { options: render, release } }, "operator");

  const election = createElection({ api, lease: options.lease, tell });
  // A standby is warm: it competes for the lease once it knows all objects.
  loop.onFact((fact) => {
    // A leader must know the desired state.
    if (fact.type === "objects.synced") void loop.afterFold().then(election.stand);
  });

  const watching = watchCluster(api, {
    endpointSource: render.endpointSource,
    legacy,
    namespaces: options.namespaces,
    ...(options.listWatch && { listWatch: options.listWatch }),
  }).subscribe((events) =>
    report(events.map((event) => ({ fact: factOf(event, vault), source: "kubernetes", cause: null }))),
  );

  const stepDown = async (): Promise<void> => {
    if (options.lease === undefined) return;
    lead(false);
    await election.withdraw();
  };

  /**
   * Waits for failed writes as well: a conflict is resolved by the next attempt. An API server that is down may stay down.
   */
  const settled = async (): Promise<void> => {
    const until = performance.now() + FINALIZING_RETRIES_MS;
    await reconciler.idle();
    while (!reconciler.isDone && performance.now() < until) {
      await wait(20);
      await reconciler.idle();
    }
  };

  const stop = async (reason: string, limitMs = 20_000): Promise<readonly string[]> => {
    const leads = operatorState() === "leading";
    tell({ type: "operator.stopping", data: { reason } }, "operator");
    deletionCosts?.close();
    // Another process may lead meanwhile; calls continue here until they end.
    if (embedded !== undefined && !finalizer) await stepDown();
    await Promise.race([embedded?.drained(), options.drainMs === undefined ? NEVER : wait(options.drainMs)]);
    const limit = wait(limitMs);
    const managed = [...core.registry.entities("gateway").keys()] as Name[];
    if (finalizer && leads) {
      tell({ type: "operator.drained", data: {} }, "operator");
      // The fold determines what to remove; after that, only writes remain.
      await loop.afterFold();
      await Promise.race([settled(), limit]);
    }
    watching.unsubscribe();
    const left = finalizer && leads ? [...reconciler.left] : [];
    certificates.close();
    reconciler.close();
    const gone = managed.filter((name) => core.registry.state("gateway", name) === undefined);
    tell({ type: "operator.finalized", data: { removed: finalizer && leads ? gone : [], left } }, "operator");
    await Promise.race([stepDown(), limit]);
    await Promise.race([embedded?.close(), limit]);
    clearInterval(heartbeat);
    await discovery.close();
    await loop.afterFold();
    await accounting?.close(ACCOUNTING_LIMIT_MS);
    await loop.afterFold();
    await api.close();
    journal.close();
    await options.tracer?.close();
    return left;
  };

  return {
    loop,
    relay: embedded?.relay,
    discovery: discovery.server,
    requests: api.requests,
    get state() {
      return operatorState();
    },
    facts,
    accounting,
    journalSeq: () => journal.lastSeq,
    journalRefusal: () => journal.refusal,
    idle: () => reconciler.idle(),
    get left() {
      return reconciler.left;
    },
    stop,
  };
};
