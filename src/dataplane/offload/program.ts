/** Loads the eBPF programs and creates their maps. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { loadBpf, type Bpf } from "./bpf.ts";
import { KEY_BYTES, MAX_FLOWS, VALUE_BYTES, type FlowMapHandle } from "./flow-map.ts";
import { passReasons, type PassReason } from "./pass-reasons.ts";
import { objectOf, type BpfObject } from "./object.ts";

/** `MAX_HEADERS` and `MAX_PAYLOAD` of `flows.h`, in whole words. */
const SCRATCH_BYTES = 52 + 2048 + 4;
/** Size of the map `ports` of `channel-data-xdp.bpf.c`. */
const MAX_PORTS = 64;

/** File descriptors, valid in every thread of the process. */
export interface OffloadProgram extends FlowMapHandle {
  readonly passed: number;
  readonly scratch: number;
  readonly program: number;
}

/** The program for drivers, on top of the other one. */
export interface XdpProgram {
  /** The interfaces that it may send to. */
  readonly ports: number;
  /** The number of packets that it forwarded. */
  readonly forwarded: number;
  readonly program: number;
}

/** Calls `load` with a function that notes what it opened, to be closed if it throws. */
const closedOnError = <T>(bpf: Bpf, load: (keep: (fd: number) => number) => T): T => {
  const opened: number[] = [];
  try {
    return load((fd) => {
      opened.push(fd);
      return fd;
    });
  } catch (error) {
    for (const fd of opened) bpf.close(fd);
    throw error;
  }
};

/** @throws BpfError with the step that failed. */
export const loadXdpProgram = ({ flows, scratch }: OffloadProgram, bpf: Bpf = loadBpf()): XdpProgram => {
  const object = objectOf("channel-data-xdp.bpf.o");
  return closedOnError(bpf, (keep) => {
    const ports = keep(bpf.createMap("ports", { type: "devmap-hash", keyBytes: 4, valueBytes: 4, entries: MAX_PORTS }));
    const forwarded = keep(
      bpf.createMap("forwarded", { type: "percpu-array", keyBytes: 4, valueBytes: 8, entries: 1 }),
    );
    const instructions = object.instructions("xdp", new Map(Object.entries({ flows, scratch, ports, forwarded })));
    const program = bpf.loadProgram("xdp", "channel_data", instructions, object.license);
    return { ports, forwarded, program };
  });
};

/** Lets the program send to an interface to which it is attached. */
export const openPort = ({ ports }: XdpProgram, interfaceIndex: number, bpf: Bpf = loadBpf()): void => {
  const index = Buffer.alloc(4);
  index.writeUInt32LE(interfaceIndex);
  bpf.update(ports, index, index);
};

export const closeXdpProgram = ({ ports, forwarded, program }: XdpProgram, bpf: Bpf = loadBpf()): void => {
  for (const fd of [program, ports, forwarded]) bpf.close(fd);
};

/** @throws BpfError with the step that failed. */
export const loadProgram = (bpf: Bpf = loadBpf()): OffloadProgram => {
  return closedOnError(bpf, (keep) => {
    const flows = keep(
      bpf.createMap("flows", {
        type: "hash",
        keyBytes: KEY_BYTES,
        valueBytes: VALUE_BYTES,
        entries: MAX_FLOWS,
        isSparse: true,
      }),
    );
    const passed = keep(
      bpf.createMap("passed", { type: "percpu-array", keyBytes: 4, valueBytes: 8, entries: passReasons.length }),
    );
    const scratch = keep(
      bpf.createMap("scratch", { type: "percpu-array", keyBytes: 4, valueBytes: SCRATCH_BYTES, entries: 1 }),
    );
    const load = (type: "tc" | "syscall", name: string, from: BpfObject): number => {
      const instructions = from.instructions(type, new Map(Object.entries({ flows, passed, scratch })));
      return keep(bpf.loadProgram(type, name, instructions, from.license));
    };
    const program = load("tc", "channel_data", objectOf("channel-data.bpf.o"));
    return { flows, passed, scratch, program, closeFlow: load("syscall", "close_flow", objectOf("close-flow.bpf.o")) };
  });
};

export const closeProgram = (
  { flows, passed: reasons, scratch, program, closeFlow }: OffloadProgram,
  bpf = loadBpf(),
): void => {
  for (const fd of [program, closeFlow, flows, reasons, scratch]) bpf.close(fd);
};

/** Number of values in an entry of a per-CPU map: one for each possible CPU. */
const possibleCpus = (): number => {
  try {
    const last = /(\d+)\s*$/.exec(readFileSync("/sys/devices/system/cpu/possible", "latin1"))?.[1];
    return Number(last) + 1;
  } catch {
    return availableParallelism();
  }
};

/** The sum of the values that the CPUs have at `index` of a per-CPU array. */
const sumAt = (bpf: Bpf, map: number, index: number): number => {
  const values = Buffer.alloc(8 * possibleCpus());
  const key = Buffer.alloc(4);
  key.writeUInt32LE(index);
  bpf.lookUp(map, key, values);
  let sum = 0;
  for (let at = 0; at < values.length; at += 8) sum += Number(values.readBigUInt64LE(at));
  return sum;
};

/** Datagrams passed to user space so far, by reason. */
export const passedCounts = ({ passed }: OffloadProgram, bpf = loadBpf()): Readonly<Record<PassReason, number>> =>
  Object.fromEntries(passReasons.map(({ name }, index) => [name, sumAt(bpf, passed, index)])) as Record<
    PassReason,
    number
  >;

/** Packets that the XDP program forwarded so far. */
export const xdpCount = ({ forwarded }: XdpProgram, bpf = loadBpf()): number => sumAt(bpf, forwarded, 0);
