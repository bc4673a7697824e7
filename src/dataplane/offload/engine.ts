/**
 * Offload of a process: one set of programs for all its relays, attached to the interfaces that the configs name, for as long
 * as a config asks for it. If it cannot run, it logs the reason once and user space forwards everything.
 *
 * Every interface gets the TC program. Where XDP is asked for, or chosen, the XDP program is attached in front of it, and
 * passes on to it what it does not forward.
 */
import type { Logger } from "pino";
import { messageOf } from "../../errors.ts";
import type { OffloadInterface, OffloadSummary } from "../../journal/fact.ts";
import { BpfError, loadBpf } from "./bpf.ts";
import { openClsact, type Clsact } from "./clsact.ts";
import { FlowMap } from "./flow-map.ts";
import type { PassReason } from "./pass-reasons.ts";
import { interfaceOf, usableInterfaces, type NetworkInterface } from "./interfaces.ts";
import type { OffloadHandle } from "./offload.ts";
import type { OffloadWish } from "./wish.ts";
import {
  closeProgram,
  closeXdpProgram,
  loadProgram,
  loadXdpProgram,
  openPort,
  passedCounts,
  xdpCount,
  type OffloadProgram,
  type XdpProgram,
} from "./program.ts";
import { canTransmit, whyNoXdp, whyRatherTc } from "./xdp-support.ts";

/** Where the kernel forwards packets, or why it does not although a config asks for it. */
export type OffloadState =
  | {
      /** `XDP`: on one interface at least. */
      readonly engine: "TC" | "XDP";
      readonly interfaces: readonly OffloadInterface[];
      /** Packets that XDP forwarded; TC forwarded the others. */
      readonly byXdp: number;
      /** Datagrams passed to user space. */
      readonly passed: Readonly<Record<PassReason, number>>;
    }
  | { readonly engine: "None"; readonly reason: string };

interface Running {
  readonly program: OffloadProgram;
  readonly interfaces: readonly OffloadInterface[];
  readonly handle: OffloadHandle;
  byXdp(): number;
  close(): void;
}

const NOT_WANTED = "no config asks for it";

export class OffloadEngine {
  readonly #log: Logger;
  readonly #changed: (now: OffloadSummary) => void;
  readonly #wishes = new Map<string, OffloadWish>();
  #running: Running | undefined;
  #reason: string | undefined;
  /** Identifies the settings that were applied last. */
  #key = "";

  /** @param changed is called with what forwards channels from now on. */
  constructor(log: Logger, changed: (now: OffloadSummary) => void) {
    this.#log = log;
    this.#changed = changed;
  }

  /** For the relays; undefined while offload is off. */
  get handle(): OffloadHandle | undefined {
    return this.#running?.handle;
  }

  /**
   * Applies the settings of the config of `gateway`; undefined if the gateway was removed.
   * @returns undefined if nothing changes; otherwise a function that unloads the previous program, to be called when no
   * relay uses it.
   */
  wish(gateway: string, wish: OffloadWish | undefined): (() => void) | undefined {
    if (wish === undefined || wish.engine === "NONE") this.#wishes.delete(gateway);
    else this.#wishes.set(gateway, wish);
    const wishes = [...this.#wishes.values()];
    const isForAll = wishes.some(({ interfaces }) => interfaces.length === 0);
    const names = isForAll ? [] : [...new Set(wishes.flatMap(({ interfaces }) => interfaces))].toSorted();
    const engines = new Set(wishes.map(({ engine }) => engine));
    const engine = engines.has("XDP") ? "XDP" : engines.has("AUTO") ? "AUTO" : "TC";
    const key = wishes.length === 0 ? "" : JSON.stringify([engine, names]);
    if (key === this.#key) return undefined;
    this.#key = key;
    const before = this.#running;
    this.#running = undefined;
    this.#reason = undefined;
    if (key !== "") this.#start(engine, names);
    else {
      this.#log.info(`offload stopped: ${NOT_WANTED}`);
      this.#changed({ engine: "None", reason: NOT_WANTED });
    }
    return () => before?.close();
  }

  state(): OffloadState | undefined {
    const running = this.#running;
    if (running !== undefined)
      return {
        engine: engineOf(running),
        interfaces: running.interfaces,
        byXdp: running.byXdp(),
        passed: passedCounts(running.program),
      };
    return this.#reason === undefined ? undefined : { engine: "None", reason: this.#reason };
  }

  /** Removes the flows of a relay that exited. */
  removeFlowsOf(owner: number): void {
    const { handle } = this;
    if (handle !== undefined) new FlowMap(loadBpf(), handle).removeAllOf(owner);
  }

  close(): void {
    this.#running?.close();
    this.#running = undefined;
  }

  #start(engine: ActiveEngine, names: readonly string[]): void {
    try {
      const running = attach(engine, names.length === 0 ? usableInterfaces() : names.map(interfaceOf));
      this.#running = running;
      const now = { engine: engineOf(running), interfaces: running.interfaces };
      this.#log.info(now, "offload started");
      this.#changed(now);
    } catch (error) {
      this.#reason = messageOf(error);
      this.#log.warn(
        { reason: this.#reason },
        "offload is unavailable, user space relays all packets; it needs Linux 5.15 and the capabilities BPF, NET_ADMIN and PERFMON",
      );
      this.#changed({ engine: "None", reason: this.#reason });
    }
  }
}

const NO_TCX = "the kernel has no TCX links (Linux 6.6), so it is a clsact filter";

type ActiveEngine = Exclude<OffloadWish["engine"], "NONE">;

const engineOf = ({ interfaces }: Running): "TC" | "XDP" =>
  interfaces.some(({ engine }) => engine === "XDP") ? "XDP" : "TC";

/** Why an interface gets no XDP program; undefined if it gets one. */
const xdpNote = (engine: ActiveEngine, one: NetworkInterface): string | undefined =>
  whyNoXdp(one) ?? (engine === "AUTO" ? whyRatherTc(one) : undefined);

const attach = (engine: ActiveEngine, interfaces: readonly NetworkInterface[]): Running => {
  const bpf = loadBpf();
  const program = loadProgram(bpf);
  const links: number[] = [];
  let xdp: XdpProgram | undefined;
  let clsact: Clsact | undefined;
  const close = (): void => {
    clsact?.close();
    for (const link of links) bpf.close(link);
    if (xdp !== undefined) closeXdpProgram(xdp);
    closeProgram(program);
  };
  const attachXdp = (one: NetworkInterface): void => {
    xdp ??= loadXdpProgram(program, bpf);
    links.push(bpf.attach("xdp", xdp.program, one.index));
    if (canTransmit(one)) openPort(xdp, one.index);
  };
  const attachTc = (index: number): void => {
    try {
      if (clsact === undefined) {
        links.push(bpf.attach("tc", program.program, index));
        return;
      }
    } catch (error) {
      // The errors of kernels without such links.
      if (!(error instanceof BpfError) || error.code !== "EINVAL") throw error;
      clsact = openClsact(bpf, program.program);
    }
    clsact.attach(index);
  };
  const attachTo = (one: NetworkInterface): OffloadInterface => {
    const { name, index } = one;
    try {
      attachTc(index);
    } catch (error) {
      throw new Error(`${name}: ${messageOf(error)}`, { cause: error });
    }
    const byTc = (note?: string): OffloadInterface => {
      const notes = [clsact && NO_TCX, note].filter((text) => text !== undefined);
      return { name, engine: "TC", ...(notes.length > 0 && { note: notes.join("; ") }) };
    };
    if (engine === "TC") return byTc();
    const note = xdpNote(engine, one);
    if (note !== undefined) return byTc(note);
    try {
      attachXdp(one);
    } catch (error) {
      // TC is attached, and sufficient.
      return byTc(messageOf(error));
    }
    return { name, engine: "XDP" };
  };
  try {
    const { flows, closeFlow } = program;
    const handle = { flows, closeFlow, attached: interfaces.map(({ index }) => index) };
    const byXdp = (): number => (xdp === undefined ? 0 : xdpCount(xdp, bpf));
    return { program, interfaces: interfaces.map(attachTo), handle, byXdp, close };
  } catch (error) {
    close();
    throw error;
  }
};
