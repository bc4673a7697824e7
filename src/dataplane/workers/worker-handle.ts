/** One worker as the pool sees it: starts it, sends it requests, and restarts it when it ends unexpectedly. */
import { wallMs } from "../../clock.ts";
import { messageOf } from "../../errors.ts";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { TransportAddress } from "../../net/address.ts";
import { noTraffic } from "../flows.ts";
import { loadSys } from "../engines/batch/sys.ts";
import type { ApplyReport, RelayEvent, RelayOptions, RelayState, RelaySummary } from "../relay.ts";
import { openThreadChannel, type ThreadChannel } from "./thread-channel.ts";
import type { HandedStream } from "../listeners/listener.ts";
import type { Numbers } from "../numbers.ts";
import type { OffloadHandle } from "../offload/offload.ts";
import { clearPorts } from "../relayed-ports.ts";
import type { HeldPort } from "../engines/engine.ts";
import type { HeldPorts } from "./held-ports.ts";
import type { ApplyRequest, PoolSays, QuotaRequest, Secrets, WorkerData, WorkerSays } from "./protocol.ts";
import type { Quota } from "./quotas.ts";
import type { SharedSockets } from "./sockets.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5000;
/** A worker that has run this long has not failed at the start. */
const STEADY_MS = 60_000;
/** Descriptors are numbers below this. */
const MAX_DESCRIPTORS = 1 << 20;

export interface WorkerHandleOptions {
  readonly index: number;
  readonly options: RelayOptions;
  readonly ids: Numbers;
  readonly secrets: Secrets;
  readonly sockets: SharedSockets;
  readonly quota: Quota;
  readonly heldPorts: HeldPorts;
  readonly ports: WorkerData["ports"];
  readonly event: (event: RelayEvent) => void;
  /** A replacement worker runs: sends it the active configuration. */
  readonly began: (worker: WorkerHandle) => Promise<void>;
  readonly lost: () => void;
  /** Passes a stream to the worker that has the connection; `descriptors` are those of the worker that passes it. */
  readonly handOver: (what: WorkerSays["handOverStream"], descriptors: Uint8Array) => Promise<number>;
}

type Opened = Extract<RelayEvent, { readonly event: "allocation.opened" }>;
type Report = Omit<Extract<RelayEvent, { readonly event: "allocation.used" }>, "event" | keyof Omit<Opened, "event">>;

/** An open allocation, and the last report about it. */
interface Held {
  readonly opened: Opened;
  readonly last: Report;
}

export class WorkerHandle {
  readonly #options: WorkerHandleOptions;
  readonly #descriptors = new Uint8Array(new SharedArrayBuffer(MAX_DESCRIPTORS));
  /** Open allocations, by number. */
  readonly #allocations = new Map<number, Held>();
  #worker: Worker;
  #channel: ThreadChannel;
  #lastId = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #startedAt = 0;
  #isClosing = false;
  #reason = "it ended";

  constructor(options: WorkerHandleOptions) {
    this.#options = options;
    [this.#worker, this.#channel] = this.#start();
  }

  apply(request: ApplyRequest): Promise<ApplyReport> {
    return this.#ask("apply", request);
  }

  remove(gateway: string): Promise<number> {
    return this.#ask("remove", gateway);
  }

  useOffload(handle: OffloadHandle | undefined): Promise<void> {
    return this.#ask("useOffload", handle);
  }

  /** Passes a stream to the worker; the worker owns `fd` from here on. */
  takeStream(stream: HandedStream, fd: number): Promise<void> {
    this.#descriptors[fd] = 1;
    return this.#ask("takeStream", { stream, fd } satisfies PoolSays["takeStream"]);
  }

  summary(): Promise<RelaySummary> {
    return this.#ask("summary", undefined);
  }

  state(): Promise<RelayState> {
    return this.#ask("state", undefined);
  }

  drain(): void {
    this.#channel.tell("drain", undefined);
  }

  fail(reason: string): void {
    this.#channel.tell("fail", reason);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#ask("close", undefined).catch(() => undefined);
    await this.#worker.terminate();
    this.#closeDescriptors();
  }

  #ask<T>(what: keyof PoolSays, value: unknown): Promise<T> {
    return this.#channel.ask<T>(what, value);
  }

  #start(): [Worker, ThreadChannel] {
    const { index, options, ids, sockets, quota, heldPorts, ports } = this.#options;
    const held = heldPorts.of(this.#descriptors);
    this.#startedAt = performance.now();
    // What is left is plain data, which a worker can receive.
    const { engine: _, workers: __, log: ___, ...rest } = options;
    const workerData: WorkerData = {
      index,
      options: rest,
      // No number is used twice, even after a restart.
      ids: { first: Math.max(ids.first, this.#lastId + ids.step), step: ids.step },
      secrets: this.#options.secrets,
      descriptors: this.#descriptors,
      ports,
    };
    const worker = new Worker(new URL(`worker${extname(import.meta.url)}`, import.meta.url), {
      workerData,
      name: `relay-${index}`,
      // As for the process: see bin/turnpike. The value counts three semi-spaces of 16 MB.
      resourceLimits: { maxYoungGenerationSizeMb: 48 },
    });
    const handlers: { readonly [K in keyof WorkerSays]: (value: WorkerSays[K]) => unknown } = {
      openSocket: (at: TransportAddress) => sockets.open(index, at),
      closeSocket: (at: TransportAddress) => sockets.close(index, at),
      takeQuota: ({ gateway, user, limit }: QuotaRequest) => quota.take(gateway, user, limit),
      giveQuota: ({ gateway, user }) => quota.give(gateway, user),
      holdPort: (port: HeldPort) => held.hold(port),
      takePort: (token: Uint8Array) => held.take(token),
      handOverStream: (what) => this.#options.handOver(what, this.#descriptors),
      event: (event) => this.#took(event),
      log: ({ level, msg, ...fields }) => this.#log(level, { worker: index, ...fields }, msg),
    };
    const channel = openThreadChannel(worker, handlers);
    worker.on("error", (error: unknown) => {
      this.#reason = messageOf(error);
    });
    worker.on("exit", () => this.#ended(channel));
    return [worker, channel];
  }

  #log(level: number, fields: object, message: string): void {
    const { log } = this.#options.options;
    if (level >= 50) log.error(fields, message);
    else if (level >= 40) log.warn(fields, message);
    else if (level >= 30) log.info(fields, message);
    else log.debug(fields, message);
  }

  #took(event: RelayEvent): void {
    if (event.event === "allocation.opened") {
      this.#lastId = event.id;
      const last = { ...noTraffic(), openedAt: wallMs(), report: 0, routes: [] };
      this.#allocations.set(event.id, { opened: event, last });
    } else if (event.event === "allocation.moved") {
      const held = this.#allocations.get(event.id);
      if (held !== undefined)
        this.#allocations.set(event.id, { ...held, opened: { ...held.opened, client: event.client } });
    } else if (event.event === "allocation.used") {
      const held = this.#allocations.get(event.id);
      if (held !== undefined) this.#allocations.set(event.id, { ...held, last: event });
    } else if (event.event === "allocation.closed") this.#allocations.delete(event.id);
    this.#options.event(event);
  }

  #ended(channel: ThreadChannel): void {
    channel.close("the worker has ended");
    if (this.#isClosing) return;
    const { index, event, lost, options } = this.#options;
    this.#closeDescriptors();
    clearPorts(this.#options.ports.own);
    lost();
    const allocations = [...this.#allocations.values()];
    this.#allocations.clear();
    options.log.error({ worker: index, reason: this.#reason }, "a worker has ended; another takes its place");
    event({ event: "worker.lost", worker: index, reason: this.#reason, allocations: allocations.length });
    for (const { opened, last } of allocations)
      // What it relayed after its last report is unknown.
      event({
        ...last,
        ...opened,
        event: "allocation.closed",
        report: last.report + 1,
        routes: [],
        reason: "the worker has ended",
      });
    if (performance.now() - this.#startedAt > STEADY_MS) this.#failures = 0;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS);
    this.#failures += 1;
    setTimeout(() => void this.#again(), pause);
  }

  async #again(): Promise<void> {
    if (this.#isClosing) return;
    [this.#worker, this.#channel] = this.#start();
    try {
      await this.#options.began(this);
      this.#options.event({ event: "worker.restored", worker: this.#options.index });
    } catch (error) {
      // It ended while it received its configs, and is restarted.
      this.#options.options.log.warn(
        { err: error, worker: this.#options.index },
        "a worker could not receive its configs",
      );
    }
  }

  /** Client sockets are not among them: the port must stay as it is. */
  #closeDescriptors(): void {
    const sys = loadSys();
    for (let fd = this.#descriptors.indexOf(1); fd >= 0; fd = this.#descriptors.indexOf(1, fd)) {
      sys.close(fd);
      this.#descriptors[fd] = 0;
    }
  }
}
