/** What all gateways of one relay share: the engine, the allocations, counters, events and the clock that ends things. */
import type { Logger } from "pino";
import { Subject } from "rxjs";
import { monotonicMs } from "../clock.ts";
import type { DenialCode, DropCode, RefusalCode } from "../reasons.ts";
import { Allocations, type SharedQuota } from "./allocations.ts";
import { createNonces, type Nonces } from "./auth/nonce.ts";
import { createEngine } from "./engines/choose.ts";
import type { Engine, EngineOptions } from "./engines/engine.ts";
import { noDrops } from "./flows.ts";
import { ControlQueue } from "./control-queue.ts";
import { defaultLimits, sweepMilliseconds, type Limits } from "./limits.ts";
import { Offload, type OffloadHandle } from "./offload/offload.ts";
import type { RelayEvent, RelayOptions } from "./relay.ts";
import type { SharedStreams } from "./listeners/listener.ts";
import { labelOf, type Numbers } from "./numbers.ts";
import { RelayHost } from "./relay-host.ts";
import { RelayPortRange } from "./relay-port-range.ts";
import type { RelayedPorts } from "./relayed-ports.ts";
import { Reservations, type SharedTokens } from "./reservations.ts";
import { Tally } from "./tally.ts";
import { Throttle } from "./throttle.ts";
import { Tickets } from "./tickets.ts";
import { UnprovenSources } from "./unproven.ts";

const tickMilliseconds = 5;

/** What a relay in a worker gets in addition to the common options. */
export interface EmbeddedOptions extends RelayOptions {
  /** Numbers of allocations and of their TCP connections; unique across workers. */
  readonly ids?: Numbers;
  readonly streams?: SharedStreams;
  /** Nonces of one worker are valid on all. */
  readonly nonceKey?: Uint8Array;
  readonly sockets?: Pick<EngineOptions, "clientSockets" | "descriptors">;
  /** Allocations by user over all workers. */
  readonly quota?: SharedQuota;
  /** Reserved ports over all workers. */
  readonly heldPorts?: SharedTokens;
  /** Relayed ports over all workers. */
  readonly relayedPorts?: RelayedPorts;
}

export class RelayContext {
  readonly options: EmbeddedOptions;
  readonly limits: Limits;
  readonly control = new ControlQueue();
  /** Coarse, and set only if something reads it: see `bandwidth.ts`. */
  readonly clock = { now: monotonicMs() };
  readonly log: Logger;
  readonly events = new Subject<RelayEvent>();
  readonly drops = noDrops();
  readonly dropped = new Tally<DropCode>();
  readonly refused = new Tally<RefusalCode>();
  /** Peers that were not admitted, by reason. */
  readonly denied = new Tally<DenialCode>();
  readonly nonces: Nonces;
  readonly engine: Engine;
  readonly ports: RelayPortRange;
  readonly reservations: Reservations;
  readonly unproven: UnprovenSources;
  readonly host: RelayHost;
  readonly allocations: Allocations;
  /** Undefined if mobility is off. */
  readonly tickets: Tickets | undefined;
  /** Limits reports about denied peers, and about rejected requests. */
  readonly peerThrottle = new Throttle();
  readonly requestThrottle = new Throttle();
  readonly redirectThrottle = new Throttle();
  isDraining = false;
  /** Clients that were sent to another server. */
  redirections = 0;
  offload: Offload | undefined;
  readonly #clock: NodeJS.Timeout;
  readonly #ticks: NodeJS.Timeout | undefined;

  constructor(options: EmbeddedOptions) {
    this.options = options;
    this.limits = { ...defaultLimits, ...options.limits };
    this.log = options.log;
    this.nonces = createNonces(options.nonceKey, options.passwordAlgorithms === true);
    this.unproven = new UnprovenSources(this.limits.unprovenAnswersPerSecond);
    this.engine = createEngine(
      options.engine ?? "auto",
      {
        drops: this.drops,
        isBusy: () => this.control.isBusy,
        busyPollMs: (options.busyPollMicroseconds ?? 0) / 1000,
        ...options.sockets,
      },
      options.log,
    );
    const { ids, quota, usageSeconds } = options;
    this.allocations = new Allocations({
      maxAllocations: this.limits.maxAllocations,
      ids,
      quota,
      usageSeconds,
      events: this.events,
    });
    // With several threads, packets from the new five-tuple may arrive at a thread that does not have the allocation.
    const isOnlyThread = ids === undefined || ids.step === 1;
    this.tickets = options.mobility !== false && isOnlyThread ? new Tickets() : undefined;
    this.host = new RelayHost(options.own, options.relayedPorts);
    this.ports = new RelayPortRange(options.relayPorts, this.host.relayed);
    this.reservations = new Reservations(this.engine, this.ports, options.heldPorts);
    this.#clock = setInterval(() => this.expire(monotonicMs()), sweepMilliseconds).unref();
    const { userBytesPerSecond, listenerBytesPerSecond } = this.limits;
    if (userBytesPerSecond + listenerBytesPerSecond > 0)
      this.#ticks = setInterval(() => (this.clock.now = monotonicMs()), tickMilliseconds).unref();
  }

  /** Switches to another offload program, for existing channels too; undefined turns offload off. */
  useOffload(handle: OffloadHandle | undefined): void {
    if (handle?.flows === this.offload?.handle.flows) return;
    this.offload?.close();
    const { ids } = this.options;
    this.offload = handle === undefined ? undefined : new Offload(handle, ids === undefined ? 0 : labelOf(ids));
    for (const allocation of this.allocations.values()) allocation.offloadChannels();
  }

  /** Ends what has expired at `now`, of the monotonic clock. */
  expire(now: number): void {
    this.allocations.expire(now);
    this.reservations.expire(now);
  }

  close(): void {
    clearInterval(this.#clock);
    clearInterval(this.#ticks);
    this.engine.close();
    this.offload?.close();
    this.reservations.expire(Infinity);
    this.events.complete();
  }
}
