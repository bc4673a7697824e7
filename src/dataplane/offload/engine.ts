/**
 * Offload of a process: one program for all its relays, attached to the interfaces that the configs name, for as long as a
 * config asks for it. If it cannot run, it logs the reason once and user space forwards everything.
 */
import type { Logger } from "pino";
import { messageOf } from "../../errors.ts";
import { loadBpf } from "./bpf.ts";
import { FlowMap } from "./flow-map.ts";
import type { PassReason } from "./pass-reasons.ts";
import { interfaceOf, usableInterfaces, type NetworkInterface } from "./interfaces.ts";
import type { OffloadHandle } from "./offload.ts";
import type { OffloadWish } from "./wish.ts";
import { closeProgram, passedCounts, loadProgram, type OffloadProgram } from "./program.ts";

/** Where the kernel forwards packets, or why it does not although a config asks for it. */
export type OffloadState =
  | {
      readonly engine: "TC";
      readonly interfaces: readonly string[];
      /** Datagrams passed to user space. */
      readonly passed: Readonly<Record<PassReason, number>>;
    }
  | { readonly engine: "None"; readonly reason: string };

interface Running {
  readonly program: OffloadProgram;
  readonly links: readonly number[];
  readonly interfaces: readonly NetworkInterface[];
  readonly handle: OffloadHandle;
}

const close = ({ program, links }: Running): void => {
  for (const link of links) loadBpf().close(link);
  closeProgram(program);
};

export class OffloadEngine {
  readonly #log: Logger;
  readonly #wishes = new Map<string, OffloadWish>();
  #running: Running | undefined;
  #reason: string | undefined;
  /** Identifies the settings that were applied last. */
  #key = "";

  constructor(log: Logger) {
    this.#log = log;
  }

  /** For the relays; undefined while offload is off. */
  get handle(): OffloadHandle | undefined {
    return this.#running?.handle;
  }

  /**
   * Applies the settings of the config of `gateway`; undefined if the gateway was removed.
   * @returns undefined if nothing changes; otherwise a function that unloads the previous program, to be called when no
   * relay uses it any more.
   */
  wish(gateway: string, wish: OffloadWish | undefined): (() => void) | undefined {
    if (wish === undefined || wish.engine === "NONE") this.#wishes.delete(gateway);
    else this.#wishes.set(gateway, wish);
    const wishes = [...this.#wishes.values()];
    const isForAll = wishes.some(({ interfaces }) => interfaces.length === 0);
    const names = isForAll ? [] : [...new Set(wishes.flatMap(({ interfaces }) => interfaces))].toSorted();
    const key = wishes.length === 0 ? "" : JSON.stringify(names);
    if (key === this.#key) return undefined;
    this.#key = key;
    const before = this.#running;
    this.#running = undefined;
    this.#reason = undefined;
    if (key !== "") this.#start(names, wishes);
    else this.#log.info("offload stopped: no config asks for it");
    return () => {
      if (before !== undefined) close(before);
    };
  }

  state(): OffloadState | undefined {
    const running = this.#running;
    if (running !== undefined)
      return {
        engine: "TC",
        interfaces: running.interfaces.map(({ name }) => name),
        passed: passedCounts(running.program),
      };
    return this.#reason === undefined ? undefined : { engine: "None", reason: this.#reason };
  }

  /** Removes the flows of a relay that exited. */
  removeFlowsOf(owner: number): void {
    const { handle } = this;
    if (handle !== undefined) new FlowMap(loadBpf(), handle.flows).removeAllOf(owner);
  }

  close(): void {
    if (this.#running !== undefined) close(this.#running);
    this.#running = undefined;
  }

  #start(names: readonly string[], wishes: readonly OffloadWish[]): void {
    try {
      const interfaces = names.length === 0 ? usableInterfaces() : names.map(interfaceOf);
      this.#running = attach(interfaces);
      const which = interfaces.map(({ name }) => name);
      const more = wishes.some(({ engine }) => engine === "XDP") ? { note: "XDP is not implemented; using TC" } : {};
      this.#log.info({ engine: "TC", interfaces: which, ...more }, "offload started");
    } catch (error) {
      this.#reason = messageOf(error);
      this.#log.warn(
        { reason: this.#reason },
        "offload is unavailable, user space relays all packets; it needs Linux 6.6 and the capabilities BPF, NET_ADMIN and PERFMON",
      );
    }
  }
}

const attach = (interfaces: readonly NetworkInterface[]): Running => {
  const bpf = loadBpf();
  const program = loadProgram(bpf);
  const links: number[] = [];
  try {
    for (const { name, index } of interfaces) {
      try {
        links.push(bpf.attachIngress(program.program, index));
      } catch (error) {
        throw new Error(`${name}: ${messageOf(error)}`, { cause: error });
      }
    }
  } catch (error) {
    for (const link of links) bpf.close(link);
    closeProgram(program);
    throw error;
  }
  const attached = interfaces.map(({ index }) => index);
  return { program, links, interfaces, handle: { flows: program.flows, attached } };
};
