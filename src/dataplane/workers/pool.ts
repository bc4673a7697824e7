/**
 * A relay on several threads: each worker is a whole relay for the clients over UDP and DTLS that the kernel gives it; those
 * over TCP and TLS are this thread's. A worker that ends is replaced: its own clients begin anew, nobody else's notice.
 */
import { messageOf } from "../../errors.ts";
import { Subject } from "rxjs";
import type { DataplaneConfig } from "../../resources/dataplane-config.ts";
import { parseConfig, type ValidConfig } from "../config.ts";
import { EmbeddedRelay } from "../embedded-relay.ts";
import { loadSys } from "../engines/batch/sys.ts";
import type { Apply, ApplyReport, Relay, RelayEvent, RelayOptions, RelayState } from "../relay.ts";
import { createHeldPorts, type HeldPorts } from "./held-ports.ts";
import { datagramPorts } from "../../admission/own-host.ts";
import { OffloadEngine } from "../offload/engine.ts";
import type { OffloadHandle } from "../offload/offload.ts";
import { portMemory, RelayedPorts } from "../relayed-ports.ts";
import { mergeReports, mergeStates } from "./merge.ts";
import { createQuotas } from "./quotas.ts";
import { createSharedSockets } from "./sockets.ts";
import type { ApplyRequest } from "./protocol.ts";
import { WorkerHandle } from "./worker-handle.ts";

const ofWorkers = ({ protocol }: { readonly protocol: string }): boolean =>
  protocol === "TURN-UDP" || protocol === "TURN-DTLS";

const withListeners = (config: ValidConfig, keep: (one: { readonly protocol: string }) => boolean): ValidConfig => ({
  ...config,
  listeners: config.listeners.filter(keep),
});

const drainingOf = ({ draining = new Map() }: Apply): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries([...draining].map(([cluster, endpoints]) => [cluster, [...endpoints]]));

const requestOf = (config: ValidConfig, how: Apply, offload: OffloadHandle | undefined): ApplyRequest => ({
  config: withListeners(config, ofWorkers),
  draining: drainingOf(how),
  admission: how.admission,
  datagramPorts: datagramPorts(config.listeners),
  offload,
});

interface Applied {
  readonly config: ValidConfig;
  readonly how: Apply;
}

export class WorkerPool implements Relay {
  readonly events = new Subject<RelayEvent>();
  readonly #local: EmbeddedRelay;
  readonly #workers: readonly WorkerHandle[];
  readonly #sockets;
  readonly #heldPorts: HeldPorts;
  readonly #offload: OffloadEngine;
  /** By gateway, what is in force: a new worker is told all of it. */
  readonly #applied = new Map<string, Applied>();
  #last: RelayState;
  #isDraining = false;
  #isClosed = false;

  /** Whether workers can run here; if not, why is said. */
  static isPossible({ log }: RelayOptions): boolean {
    try {
      loadSys();
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
    const [own, ...others] = Array.from({ length: count + 1 }, portMemory);
    const all = [own, ...others].filter((memory) => memory !== undefined);
    const step = count + 1;
    this.#local = new EmbeddedRelay({
      ...options,
      ids: { first: step, step },
      quota: quotas.of(-1),
      heldPorts: this.#heldPorts.of(),
      relayedPorts: new RelayedPorts(own, all),
    });
    this.#local.events.subscribe((event) => this.events.next(event));
    this.#last = this.#local.state();
    this.#workers = Array.from(
      { length: count },
      (_, index) =>
        new WorkerHandle({
          index,
          options,
          ids: { first: index + 1, step },
          sockets: this.#sockets,
          quota: quotas.of(index),
          heldPorts: this.#heldPorts,
          ports: { own: others[index] ?? portMemory(), all },
          event: (event) => this.events.next(event),
          began: async (worker) => {
            if (this.#isDraining) worker.drain();
            for (const { config, how } of this.#applied.values())
              await worker.apply(requestOf(config, how, this.#offload.handle));
          },
          lost: () => {
            quotas.forget(index);
            this.#offload.removeFlowsOf(index + 1);
          },
        }),
    );
  }

  async apply(document: DataplaneConfig, how: Apply = {}): Promise<ApplyReport> {
    // Refused whole, before anybody acts on it.
    const config = parseConfig(document);
    this.#applied.set(config.name, { config, how });
    const endBefore = this.#offload.wish(config.name, config.offload);
    const request = requestOf(config, how, this.#offload.handle);
    this.#local.useOffload(request.offload);
    try {
      const reports = await Promise.all([
        this.#local.put(
          withListeners(config, (one) => !ofWorkers(one)),
          { ...how, datagramPorts: request.datagramPorts },
        ),
        // One that is down hears of it when it is back.
        ...this.#workers.map((worker) => worker.apply(request).catch(() => undefined)),
      ]);
      return mergeReports(reports.filter((report) => report !== undefined));
    } finally {
      endBefore?.();
    }
  }

  async remove(gateway: string): Promise<number> {
    this.#applied.delete(gateway);
    const counts = await Promise.all([
      this.#local.remove(gateway),
      ...this.#workers.map((worker) => worker.remove(gateway).catch(() => 0)),
    ]);
    const endBefore = this.#offload.wish(gateway, undefined);
    if (endBefore !== undefined) {
      const { handle } = this.#offload;
      this.#local.useOffload(handle);
      await Promise.all(this.#workers.map((worker) => worker.useOffload(handle).catch(() => undefined)));
      endBefore();
    }
    return counts.reduce((total, count) => total + count, 0);
  }

  drain(): void {
    this.#isDraining = true;
    this.#local.drain();
    for (const worker of this.#workers) worker.drain();
  }

  state(): RelayState {
    return this.#last;
  }

  async refresh(): Promise<void> {
    const states = await Promise.all(this.#workers.map((worker) => worker.state().catch(() => undefined)));
    const merged = mergeStates([this.#local.state(), ...states.filter((state) => state !== undefined)]);
    this.#last = { ...merged, offload: this.#offload.state() };
  }

  /** Makes a worker end by an exception that nobody catches, for tests of what then happens. */
  failWorker(index: number, reason: string): void {
    this.#workers[index]?.fail(reason);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([this.#local.close(), ...this.#workers.map((worker) => worker.close())]);
    this.#offload.close();
    this.#heldPorts.close();
    this.#sockets.closeAll();
    this.events.complete();
  }
}
