/** Everything for one machine: a directory of manifests in, a relay out, each step in the log between them. */
import { isIPv6 } from "node:net";
import type { Logger } from "pino";
import { createMetrics } from "../admin/metrics.ts";
import { startAdmin, type AdminServer } from "../admin/server.ts";
import { programState, type ProgramState } from "../admin/state.ts";
import { createRelay } from "../dataplane/create-relay.ts";
import type { Relay, RelayEvent } from "../dataplane/relay.ts";
import { createPublisher } from "../effects/publish.ts";
import type { Fact, Happening, Rejection } from "../journal/fact.ts";
import { createVault } from "../journal/vault.ts";
import { openJournal, type WriterOptions } from "../journal/writer.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { release } from "../release.ts";
import type { Name } from "../resources/keys.ts";
import { watchDirectory, type DirectoryOptions } from "../watchers/directory.ts";
import { factOf, tellOfDisk } from "./facts.ts";
import { createLoop, type Loop } from "./loop.ts";
import { standaloneOptions } from "./options.ts";
import { runService } from "./services.ts";

export interface StandaloneOptions {
  readonly directory: string;
  /** IP literals to listen and to relay on; the first one is announced. */
  readonly addresses: readonly string[];
  /** Folder of the event log. */
  readonly journal: string;
  readonly journalOptions?: WriterOptions;
  readonly directoryOptions?: DirectoryOptions;
  /** Also of native routes, and of certificateRefs. */
  readonly requireReferenceGrants?: boolean;
  readonly admin: { readonly host: string; readonly port: number };
  readonly log: Logger;
}

export interface Standalone {
  readonly admin: AdminServer;
  readonly loop: Loop;
  readonly relay: Relay;
  state(): ProgramState;
  /** A rendered config with its secrets. */
  reveal(config: DataplaneConfig): DataplaneConfig;
  /** Resolves when every listener of the manifests found at the start serves or has failed. */
  readonly started: Promise<void>;
  /** Tears down gateway by gateway, within `limitMs`. Resolves to the gateways that could not be removed. */
  stop(reason: string, limitMs?: number): Promise<readonly string[]>;
}

const ofFamily = (addresses: readonly string[], v6: boolean): string | undefined =>
  addresses.find((address) => isIPv6(address) === v6);

const factOfRelay = ({ event, ...data }: RelayEvent): Fact => ({ type: event, data }) as Fact;

/** The rejections that still hold. */
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

/** @throws TurnpikeError `journal-busy`; the error of binding the admin address. */
export const startStandalone = async (options: StandaloneOptions): Promise<Standalone> => {
  const { addresses, log } = options;
  const address = addresses[0] ?? "127.0.0.1";
  const startedAt = Date.now();
  const vault = createVault();
  const journal = openJournal(options.journal, { onDisk: tellOfDisk(log), ...options.journalOptions });
  const loop = createLoop(
    journal,
    standaloneOptions(address, { requireReferenceGrants: options.requireReferenceGrants ?? false }),
  );
  const [ipv4, ipv6] = [ofFamily(addresses, false), ofFamily(addresses, true)];
  const relay = createRelay({
    bindAddresses: addresses,
    relayAddresses: { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) },
    log,
  });

  const report = (happenings: readonly Happening[]): void => void loop.take(happenings);
  const tell = (fact: Fact, source: string): void => report([{ fact, source, cause: null }]);
  const publisher = createPublisher({ relay, vault, address, report });
  const rejections = createRejections();
  loop.onFact((fact) => rejections.note(fact));
  loop.onFold(({ changes }) => publisher.publish(changes));

  const state = (): ProgramState =>
    programState({
      core: loop.core,
      relay,
      journal: { folder: options.journal, lastSeq: () => journal.lastSeq, refusal: () => journal.refusal },
      rejections: rejections.all,
      release,
      startedAt,
    });

  const operatorState = (): string => loop.core.registry.state("operator", "operator") ?? "stopped";
  let admin: AdminServer;
  try {
    admin = await startAdmin({
      ...options.admin,
      state,
      ready: () => {
        const now = operatorState();
        return now === "leading" ? { ready: true, message: "READY" } : { ready: false, message: `operator is ${now}` };
      },
      metrics: createMetrics({ core: loop.core, relay, journalSeq: () => journal.lastSeq }),
    });
  } catch (error) {
    journal.close();
    throw error;
  }

  if (journal.tornBytes > 0) tell({ type: "journal.recovered", data: { tornBytes: journal.tornBytes } }, "journal");
  tell({ type: "operator.started", data: { options: loop.core.options, release } }, "operator");

  const started = new Promise<void>((resolve) => {
    let synced = false;
    loop.onFact((fact) => {
      if (fact.type === "objects.synced" && !synced) {
        synced = true;
        // After the fold of this turn, whose changes are then in flight.
        setImmediate(() => setImmediate(() => void publisher.idle().then(resolve)));
      }
    });
  });

  const relayEvents = relay.events.subscribe((event) => tell(factOfRelay(event), "relay"));
  const stopWatching = runService({
    name: "directory",
    start: () => watchDirectory(options.directory, options.directoryOptions),
    onNext: (events) =>
      report(events.map((event) => ({ fact: factOf(event, vault), source: "directory", cause: null }))),
    onFailure: (reason) => tell({ type: "watch.lost", data: { reason } }, "directory"),
    onRestored: () => tell({ type: "watch.restored", data: {} }, "directory"),
  });

  const stop = async (reason: string, limitMs = 5000): Promise<readonly string[]> => {
    stopWatching();
    const gateways = new Set(loop.core.registry.entities("gateway").keys());
    const removed: Name[] = [];
    const allRemoved = new Promise<void>((resolve) => {
      if (gateways.size === 0) resolve();
      loop.onFact((fact) => {
        if (fact.type !== "gateway.removed" || !gateways.delete(fact.data.gateway)) return;
        removed.push(fact.data.gateway);
        if (gateways.size === 0) resolve();
      });
    });
    tell({ type: "operator.stopping", data: { reason } }, "operator");
    const limit = new Promise<void>((resolve) => setTimeout(resolve, limitMs).unref());
    await Promise.race([publisher.idle(), limit]);
    tell({ type: "operator.drained", data: {} }, "operator");
    await Promise.race([allRemoved, limit]);
    publisher.close();
    relayEvents.unsubscribe();
    const left = [...gateways];
    tell({ type: "operator.finalized", data: { removed, left } }, "operator");
    await Promise.race([relay.close(), limit]);
    await admin.close();
    // The last facts are folded at the end of this turn.
    await new Promise((resolve) => setImmediate(resolve));
    journal.close();
    return left;
  };

  return { admin, loop, relay, state, reveal: vault.reveal, started, stop };
};
