/**
 * The common parts of every process that relays: a source of objects, the log, the core, and a relay that follows the core.
 * `standalone.ts` and `dataplane.ts` each add a source and their HTTP servers.
 */
import type { Logger } from "pino";
import { wallMs } from "../clock.ts";
import { createFactTally } from "../admin/fact-tally.ts";
import { createLatestRefusals } from "../admin/latest-refusals.ts";
import type { MetricSources } from "../admin/metric.ts";
import type { StateSources } from "../admin/state.ts";
import type { Relay, RelayOptions } from "../dataplane/relay.ts";
import type { Fact, Happening, Rejection } from "../journal/fact.ts";
import { createVault, type Vault } from "../journal/vault.ts";
import { openJournal, type JournalWriter, type WriterOptions } from "../journal/writer.ts";
import { release } from "../release.ts";
import type { Name } from "../resources/keys.ts";
import type { RenderOptions } from "../resources/view.ts";
import type { Source } from "../watchers/source.ts";
import { factOf, tellOfDisk } from "./facts.ts";
import { startCertificateClock } from "./certificate-clock.ts";
import { createLoop, type Loop } from "./loop.ts";
import { attachRelay } from "./relay.ts";
import { follow } from "./follow.ts";
import { startAccounting, type AccountingPlan } from "./accounting/index.ts";
import { traceLoop } from "./traces/observe.ts";
import type { Tracer } from "./traces/tracer.ts";

export interface RelayingOptions {
  readonly render: RenderOptions;
  /** Folder of the event log. */
  readonly journal: string;
  readonly journalOptions?: WriterOptions | undefined;
  readonly relay: Omit<RelayOptions, "log">;
  /** The value of `$STUNNER_ADDR` in configs that are rendered here. */
  readonly address: string;
  /** Traces each watch event, up to the active config. It is closed with the relay. */
  readonly tracer?: Tracer | undefined;
  /** Sends usage records of calls. */
  readonly accounting?: AccountingPlan | undefined;
  readonly log: Logger;
}

export interface Relaying {
  readonly loop: Loop;
  readonly journal: JournalWriter;
  readonly vault: Vault;
  readonly relay: Relay;
  /** Of the operator machine. */
  readonly state: string;
  /** The source of its state. */
  readonly sources: StateSources;
  readonly metricSources: MetricSources;
  tell(fact: Fact, source: string): void;
  /** Subscribes to a source, which is restarted when it fails. Resolves when its initial state is active. */
  follow(name: string, start: () => Source): Promise<void>;
  /** Resolves when no allocation is open. */
  drained(): Promise<void>;
  /** Records the start of the shutdown in the log. */
  stopping(reason: string): void;
  /** Tears down gateway by gateway, within `limitMs`. Resolves to the gateways that could not be removed. */
  stop(limitMs: number): Promise<readonly string[]>;
}

/** The rejections that still apply. */
const createRejections = () => {
  const standing = new Map<string, Rejection>();
  return {
    note({ type, data }: Fact): void {
      if (type === "object.rejected") standing.set(JSON.stringify(data), data);
      else if (type === "object.corrected") standing.delete(JSON.stringify(data));
    },
    all: (): readonly Rejection[] => [...standing.values()],
  };
};

/** @throws TurnpikeError `journal-busy`. */
export const createRelaying = ({ log, ...options }: RelayingOptions): Relaying => {
  const startedAt = wallMs();
  const vault = createVault();
  const journal = openJournal(options.journal, { onDisk: tellOfDisk(log), ...options.journalOptions });
  const loop = createLoop(journal, options.render, { relay: true });
  const { registry } = loop.core;
  if (options.tracer !== undefined) traceLoop({ tracer: options.tracer, loop, relays: true });
  const report = (happenings: readonly Happening[]): void => void loop.take(happenings);
  const tell = (fact: Fact, source: string): void => report([{ fact, source, cause: null }]);
  const certificates = startCertificateClock(loop);
  const rejections = createRejections();
  const refusals = createLatestRefusals();
  const facts = createFactTally();
  loop.onFact((fact) => {
    rejections.note(fact);
    refusals.note(fact);
    facts.note(fact);
  });
  // Before configs are revealed: keeps the secrets that they need.
  loop.onFold(() => vault.hold(loop.core.certificateDigests));
  const { relay, publisher, ...attached } = attachRelay({
    loop,
    vault,
    relay: { ...options.relay, usageSeconds: options.accounting?.settings.intervalSeconds },
    address: options.address,
    log,
  });

  const accounting =
    options.accounting && startAccounting({ ...options.accounting, folder: options.journal, journal, loop, tell, log });
  if (journal.tornBytes > 0) tell({ type: "journal.recovered", data: { tornBytes: journal.tornBytes } }, "journal");
  for (const fact of accounting?.interrupted ?? []) tell(fact, "journal");
  tell({ type: "operator.started", data: { options: options.render, release } }, "operator");
  let stopFollowing = (): void => undefined;

  const removeAll = async (limitMs: number): Promise<{ readonly removed: readonly Name[]; readonly left: Name[] }> => {
    const gateways = new Set(registry.entities("gateway").keys()) as Set<Name>;
    const removed: Name[] = [];
    const allRemoved = new Promise<void>((resolve) => {
      if (gateways.size === 0) resolve();
      loop.onFact((fact) => {
        if (fact.type !== "gateway.removed" || !gateways.delete(fact.data.gateway)) return;
        removed.push(fact.data.gateway);
        if (gateways.size === 0) resolve();
      });
    });
    const limit = new Promise<void>((resolve) => setTimeout(resolve, limitMs).unref());
    await Promise.race([publisher.idle(), limit]);
    tell({ type: "operator.drained", data: {} }, "operator");
    await Promise.race([allRemoved, limit]);
    return { removed, left: [...gateways] };
  };

  const sources: StateSources = {
    core: loop.core,
    relay,
    journal: { folder: options.journal, lastSeq: () => journal.lastSeq, refusal: () => journal.refusal },
    rejections: rejections.all,
    refusals: refusals.of,
    release,
    startedAt,
  };

  return {
    loop,
    journal,
    vault,
    relay,
    get state() {
      return registry.state("operator", "operator") ?? "stopped";
    },
    sources,
    metricSources: { core: loop.core, relay, facts, journal: sources.journal, accounting: accounting?.counts },
    drained: attached.drained,
    tell,
    follow(name, start) {
      const synced = new Promise<void>((resolve) => {
        loop.onFact((fact) => {
          if (fact.type === "objects.synced") resolve();
        });
      });
      const active = synced.then(() => loop.afterFold()).then(() => publisher.idle());
      stopFollowing = follow({
        start,
        onNext: (events) => report(events.map((event) => ({ fact: factOf(event, vault), source: name, cause: null }))),
        onFailure: (reason) => tell({ type: "watch.lost", data: { reason } }, name),
        onRestored: () => tell({ type: "watch.restored", data: {} }, name),
      });
      return active;
    },
    stopping(reason) {
      relay.drain();
      tell({ type: "operator.stopping", data: { reason } }, "operator");
    },
    async stop(limitMs) {
      stopFollowing();
      certificates.close();
      const { removed, left } = await removeAll(limitMs);
      tell({ type: "operator.finalized", data: { removed, left } }, "operator");
      await Promise.race([attached.close(), new Promise<void>((resolve) => setTimeout(resolve, limitMs).unref())]);
      await loop.afterFold();
      await accounting?.close(limitMs);
      await loop.afterFold();
      journal.close();
      await options.tracer?.close();
      return left;
    },
  };
};
