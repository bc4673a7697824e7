/**
 * A relay on several threads: each worker is a whole relay for the clients that the kernel assigns to it. A worker that
 * ends is replaced: its own clients begin anew, clients of other workers notice nothing.
 */
import { randomBytes } from "node:crypto";
import { messageOf } from "../../errors.ts";
import { Subject } from "rxjs";
import type { DataplaneConfig } from "../../resources/dataplane-config.ts";
import { parseConfig, type ValidConfig } from "../config.ts";
import { loadLibuv } from "../engines/batch/libuv.ts";
import { loadSys } from "../engines/batch/sys.ts";
import type { Apply, ApplyReport, Relay, RelayEvent, RelayOptions, RelayState, RelaySummary } from "../relay.ts";
import { createHeldPorts, type HeldPorts } from "./held-ports.ts";
import { labelOf, numbersOf, threadOf } from "../numbers.ts";
import { OffloadEngine } from "../offload/engine.ts";
import type { OffloadHandle } from "../offload/offload.ts";
import { portMemory } from "../relayed-ports.ts";
import { mergeReports, mergeStates, mergeSummaries } from "./merge.ts";
import { createQuotas } from "./quotas.ts";
import { createSharedSockets } from "./sockets.ts";
import type { ApplyRequest, WorkerSays } from "./protocol.ts";
import { WorkerHandle } from "./worker-handle.ts";

const drainingOf = ({ draining = new Map() }: Apply): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries([...draining].map(([cluster, endpoints]) => [cluster, [...endpoints]]));

const requestOf = (config: ValidConfig, how: Apply, offload: OffloadHandle | undefined): ApplyRequest => ({
  config,
  draining: drainingOf(how),
  admission: how.admission,
  offload,
});

const NONCE_KEY_BYTES = 32;
const TICKET_KEY_BYTES = 48;

interface Applied {
  readonly config: ValidConfig;
  readonly how: Apply;
}

export class WorkerPool implements Relay {
  readonly events = new Subject<RelayEvent>();
  readonly #workers: readonly WorkerHandle[];
  readonly #sockets;
  readonly #heldPorts: HeldPorts;
  readonly #offload: OffloadEngine;
  /** By gateway, the active configuration, for new workers. */
  readonly #applied = new Map<string, Applied>();
  #last: RelayState = mergeStates([]);
  #isDraining = false;
  #isClosed = false;

  /** Whether workers can run here; if not, logs why. */
  static isPossible({ log }: RelayOptions): boolean {
    try {
      loadSys();
      const libuv = loadLibuv();
      libuv.backendFd(libuv.loop());
      return true;
    } catch (error) {
      const reason = messageOf(error);
      log.info({ reason }, "one thread relays for everybody: workers do not run here");
      return false;
    }
  }

  constructor(options: RelayOptions) {
    const count = options.workers ?? 1;
    this.#sockets = createSharedSockets(loadSys(), count);
    const quotas = createQuotas();
    this.#offload = new OffloadEngine(options.log, (now) => this.events.next({ event: "offload.changed", ...now }));
    this.#heldPorts = createHeldPorts(loadSys());
    const all = Array.from({ length: count }, portMemory);
    const secrets = { nonceKey: randomBytes(NONCE_KEY_BYTES), ticketKeys: randomBytes(TICKET_KEY_BYTES) };
    this.#workers = all.map(
      (own, index) =>
        new WorkerHandle({
          index,
          options,
          ids: numbersOf(index, count),
          secrets,
          sockets: this.#sockets,
          quota: quotas.of(index),
          heldPorts: this.#heldPorts,
          ports: { own, all },
          event: (event) => this.events.next(event),
          began: async (worker) => {
            if (this.#isDraining) worker.drain();
            for (const { config, how } of this.#applied.values())
              await worker.apply(requestOf(config, how, this.#offload.handle));
          },
          lost: () => {
            quotas.forget(index);
            this.#offload.removeFlowsOf(labelOf(numbersOf(index, count)));
          },
          handOver: (what, descriptors) => this.#handOver(what, descriptors),
        }),
    );
  }

  async apply(document: DataplaneConfig, how: Apply = {}): Promise<ApplyReport> {
    // An invalid config is rejected as a whole, before any worker applies it.
    const config = parseConfig(document);
    this.#applied.set(config.name, { config, how });
    const endBefore = this.#offload.wish(config.name, config.offload);
    const request = requestOf(config, how, this.#offload.handle);
    try {
      // A worker that is down receives it when it restarts.
      const reports = await Promise.all(this.#workers.map((worker) => worker.apply(request).catch(() => undefined)));
      return mergeReports(reports.filter((report) => report !== undefined));
    } finally {
      endBefore?.();
    }
  }

  async remove(gateway: string): Promise<number> {
    this.#applied.delete(gateway);
    const counts = await Promise.all(this.#workers.map((worker) => worker.remove(gateway).catch(() => 0)));
    const endBefore = this.#offload.wish(gateway, undefined);
    if (endBefore !== undefined) {
      const { handle } = this.#offload;
      await Promise.all(this.#workers.map((worker) => worker.useOffload(handle).catch(() => undefined)));
      endBefore();
    }
    return counts.reduce((total, count) => total + count, 0);
  }

  drain(): void {
    this.#isDraining = true;
    for (const worker of this.#workers) worker.drain();
  }

  state(): RelayState {
    return this.#last;
  }

  async refresh(): Promise<void> {
    const merged = mergeStates(await this.#all((worker) => worker.state()));
    this.#last = { ...merged, offload: this.#offload.state() };
  }

  async summary(): Promise<RelaySummary> {
    const merged = mergeSummaries(await this.#all((worker) => worker.summary()));
    return { ...merged, offload: this.#offload.state() };
  }

  /** The answers of the workers that run. */
  async #all<T>(ask: (worker: WorkerHandle) => Promise<T>): Promise<readonly T[]> {
    const answers = await Promise.all(this.#workers.map((worker) => ask(worker).catch(() => undefined)));
    return answers.filter((answer) => answer !== undefined);
  }

  /** Ends a worker with an uncaught exception, for tests. */
  failWorker(index: number, reason: string): void {
    this.#workers[index]?.fail(reason);
  }

  /** The two ends of a socket pair connect one worker to the other. */
  async #handOver({ stream, connectionId }: WorkerSays["handOverStream"], descriptors: Uint8Array): Promise<number> {
    const worker = this.#workers[threadOf(connectionId, this.#workers.length)];
    if (worker === undefined) throw new Error("there is no such worker");
    const sys = loadSys();
    const [near, far] = sys.streamPair();
    try {
      await worker.takeStream(stream, far);
    } catch (error) {
      sys.close(near);
      throw error;
    }
    descriptors[near] = 1;
    return near;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all(this.#workers.map((worker) => worker.close()));
    this.#offload.close();
    this.#heldPorts.close();
    this.#sockets.closeAll();
    this.events.complete();
  }
}
