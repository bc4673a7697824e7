/** Everything for one machine: reads a directory of manifests, runs a relay, and records each step in the log. */
import type { Logger } from "pino";
import { createMetrics } from "../admin/metrics.ts";
import { startAdmin, type AdminBinding, type AdminServer } from "../admin/server.ts";
import { runningOf } from "../admin/running.ts";
import { programState, type ProgramState } from "../admin/state.ts";
import type { EngineName } from "../dataplane/engines/index.ts";
import { placeOn } from "../dataplane/placement.ts";
import type { Relay, RelayTuning } from "../dataplane/relay.ts";
import type { WriterOptions } from "../journal/writer.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { watchDirectory, type DirectoryOptions } from "../watchers/directory.ts";
import type { Loop } from "./loop.ts";
import { standaloneOptions } from "./options.ts";
import { createOrders } from "./orders.ts";
import { createRelaying } from "./relaying.ts";
import type { AccountingPlan } from "./accounting/index.ts";
import type { Tracer } from "./traces/tracer.ts";

export interface StandaloneOptions {
  readonly directory: string;
  /** IP literals to listen and to relay on; the first one is advertised. */
  readonly addresses: readonly string[];
  /** Folder of the event log. */
  readonly journal: string;
  readonly journalOptions?: WriterOptions;
  readonly directoryOptions?: DirectoryOptions;
  /** Of native routes and of certificateRefs, too. */
  readonly requireReferenceGrants?: boolean;
  readonly engine?: EngineName | undefined;
  /** Number of relay threads. */
  readonly workers?: number | undefined;
  /** Relay settings that are not in manifests. */
  readonly relay?: RelayTuning;
  readonly admin: AdminBinding;
  /** Traces each watch event, up to the active config. */
  readonly tracer?: Tracer | undefined;
  /** Sends usage records of calls. */
  readonly accounting?: AccountingPlan | undefined;
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

/** @throws TurnpikeError `journal-busy`; the error of binding the admin address. */
export const startStandalone = async (options: StandaloneOptions): Promise<Standalone> => {
  const { addresses, log } = options;
  const address = addresses[0] ?? "127.0.0.1";
  const relaying = createRelaying({
    render: standaloneOptions(address, {
      requireReferenceGrants: options.requireReferenceGrants ?? false,
      ...(options.relay?.deniesPrivate === true ? { deniesPrivate: true } : {}),
    }),
    journal: options.journal,
    journalOptions: options.journalOptions,
    relay: {
      place: placeOn(addresses),
      own: addresses,
      engine: options.engine ?? "auto",
      workers: options.workers ?? 0,
      ...options.relay,
    },
    address,
    tracer: options.tracer,
    accounting: options.accounting,
    log,
  });
  const { loop, relay, sources } = relaying;
  const { core } = loop;

  const notReady = (): string | undefined =>
    relaying.state === "leading" ? undefined : `operator is ${relaying.state}`;
  const metrics = createMetrics(relaying.metricSources);
  const admin = await startAdmin({
    ...options.admin,
    journal: options.journal,
    running: runningOf(sources, notReady, metrics, createOrders(core, relaying.tell)),
  }).catch(async (error: unknown) => {
    relaying.stopping("the admin API could not be bound");
    await relaying.stop(0);
    throw error;
  });

  const started = relaying.follow("directory", () => watchDirectory(options.directory, options.directoryOptions));

  return {
    admin,
    loop,
    relay,
    state: () => programState(sources),
    reveal: relaying.vault.reveal,
    started,
    async stop(reason, limitMs = 5000) {
      relaying.stopping(reason);
      const left = await relaying.stop(limitMs);
      await admin.close();
      return left;
    },
  };
};
