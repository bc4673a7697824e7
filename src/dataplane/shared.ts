/** What all gateways of one relay share: the engine, the allocations, counters, events and the clock that ends things. */
import type { Logger } from "pino";
import { Subject } from "rxjs";
import { monotonicMs } from "../clock.ts";
import type { DenialCode, DropCode, RefusalCode } from "../reasons.ts";
import type { Allocation } from "./allocation.ts";
import { createNonces } from "./auth/nonce.ts";
import { createEngine } from "./engines/choose.ts";
import type { Engine, EngineOptions } from "./engines/engine.ts";
import { noDrops } from "./flows.ts";
import { ControlQueue } from "./control-queue.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import type { RelayEvent, RelayOptions } from "./relay.ts";
import { RelayHost } from "./relay-host.ts";
import type { RelayedPorts } from "./relayed-ports.ts";
import { Reservations, type SharedTokens } from "./reservations.ts";
import type { Serving } from "./serving.ts";
import { Tally } from "./tally.ts";
import { Throttle } from "./throttle.ts";

/** An allocation and the listener that it is on, by five-tuple. */
export interface Held {
  readonly allocation: Allocation;
  readonly serving: Serving;
}

const tickMilliseconds = 5;

/** What a relay in a worker is given beside the options of all. */
export interface EmbeddedOptions extends RelayOptions {
  /** Numbers of allocations: those of workers are not to meet. */
  readonly ids?: { readonly first: number; readonly step: number };
  readonly sockets?: Pick<EngineOptions, "clientSockets" | "descriptors">;
  /** Allocations by user over all workers. */
  readonly quota?: {
    take(gateway: string, user: string, limit: number): Promise<boolean>;
    give(gateway: string, user: string): void;
  };
  /** Reserved ports over all workers. */
  readonly heldPorts?: SharedTokens;
  /** Relayed ports over all workers. */
  readonly relayedPorts?: RelayedPorts;
}

export class Shared {
  readonly options: EmbeddedOptions;
  readonly limits: Limits;
  readonly control = new ControlQueue();
  /** Coarse, and set only where somebody looks at it: see `bandwidth.ts`. */
  readonly clock = { now: monotonicMs() };
  readonly log: Logger;
  readonly events = new Subject<RelayEvent>();
  readonly drops = noDrops();
  readonly dropped = new Tally<DropCode>();
  readonly refused = new Tally<RefusalCode>();
  /** Peers that were not admitted, by why. */
  readonly denied = new Tally<DenialCode>();
  /** Allocations, by the transport of the client and that of peers; and by why they ended. */
  readonly opened = new Tally<string>();
  readonly closed = new Tally<string>();
  readonly nonces = createNonces();
  readonly engine: Engine;
  readonly reservations: Reservations;
  readonly host: RelayHost;
  /** What is told of refused peers, and of refused requests. */
  readonly toldPeers = new Throttle();
  readonly toldRequests = new Throttle();
  readonly allocations = new Map<string, Held>();
  isDraining = false;
  /** Five-tuples whose Allocate is being answered; the value says whether somebody still waits for the answer. */
  readonly claims = new Map<string, { isWanted: boolean }>();
  readonly #clock: NodeJS.Timeout;
  readonly #ticks: NodeJS.Timeout | undefined;
  #opened = 0;

  constructor(options: EmbeddedOptions) {
    this.options = options;
    this.limits = { ...defaultLimits, ...options.limits };
    this.log = options.log;
    this.engine = createEngine(
      options.engine ?? "auto",
      { drops: this.drops, isBusy: () => this.control.isBusy, ...options.sockets },
      options.log,
    );
    this.host = new RelayHost(options.own, options.relayedPorts);
    this.reservations = new Reservations(this.engine, options.heldPorts);
    this.#clock = setInterval(() => this.expire(monotonicMs()), 1000).unref();
    const { userBytesPerSecond, listenerBytesPerSecond } = this.limits;
    if (userBytesPerSecond + listenerBytesPerSecond > 0)
      this.#ticks = setInterval(() => (this.clock.now = monotonicMs()), tickMilliseconds).unref();
  }

  nextId(): number {
    const { first, step } = this.options.ids ?? { first: 1, step: 1 };
    return first + this.#opened++ * step;
  }

  /** Ends what is over at `now`, of the monotonic clock. One timer does it for everything. */
  expire(now: number): void {
    for (const { allocation, serving } of this.allocations.values())
      if (allocation.expiresAt <= now) serving.close(allocation, "expired");
      else allocation.expire(now);
    this.reservations.expire(now);
  }

  close(): void {
    clearInterval(this.#clock);
    clearInterval(this.#ticks);
    this.engine.close();
    this.reservations.expire(Infinity);
    this.events.complete();
  }
}
