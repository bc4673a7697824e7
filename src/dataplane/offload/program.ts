/** Loads the eBPF program and creates its maps. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { loadBpf, type Bpf } from "./bpf.ts";
import { KEY_BYTES, MAX_FLOWS, VALUE_BYTES } from "./flow-map.ts";
import { passReasons, type PassReason } from "./pass-reasons.ts";
import { readObject } from "./object.ts";

/** `MAX_HEADERS` and `MAX_PAYLOAD` of `channel-data.bpf.c`. */
const SCRATCH_BYTES = 52 + 2048;
const OBJECT = new URL("channel-data.bpf.o", import.meta.url);

/** File descriptors, valid in every thread of the process. */
export interface OffloadProgram {
  readonly flows: number;
  readonly passed: number;
  readonly scratch: number;
  readonly program: number;
}

/** @throws BpfError with the step that failed. */
export const loadProgram = (bpf: Bpf = loadBpf()): OffloadProgram => {
  const object = readObject(readFileSync(OBJECT));
  const opened: number[] = [];
  const keep = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  try {
    const flows = keep(
      bpf.createMap("flows", { type: "hash", keyBytes: KEY_BYTES, valueBytes: VALUE_BYTES, entries: MAX_FLOWS }),
    );
    const reasons = keep(
      bpf.createMap("passed", { type: "percpu-array", keyBytes: 4, valueBytes: 8, entries: passReasons.length }),
    );
    const scratch = keep(
      bpf.createMap("scratch", { type: "percpu-array", keyBytes: 4, valueBytes: SCRATCH_BYTES, entries: 1 }),
    );
    const maps = new Map(Object.entries({ flows, passed: reasons, scratch }));
    const program = bpf.loadClassifier("channel_data", object.instructions("tc", maps), object.license);
    return { flows, passed: reasons, scratch, program };
  } catch (error) {
    for (const fd of opened) bpf.close(fd);
    throw error;
  }
};

export const closeProgram = ({ flows, passed: reasons, scratch, program }: OffloadProgram, bpf = loadBpf()): void => {
  for (const fd of [program, flows, reasons, scratch]) bpf.close(fd);
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

/** Datagrams passed to user space so far, by reason. */
export const passedCounts = (
  { passed: map }: OffloadProgram,
  bpf = loadBpf(),
): Readonly<Record<PassReason, number>> => {
  const values = Buffer.alloc(8 * possibleCpus());
  const key = Buffer.alloc(4);
  const entries = passReasons.map(({ name }, index) => {
    key.writeUInt32LE(index);
    bpf.lookUp(map, key, values);
    let sum = 0;
    for (let at = 0; at < values.length; at += 8) sum += Number(values.readBigUInt64LE(at));
    return [name, sum] as const;
  });
  return Object.fromEntries(entries) as Record<PassReason, number>;
};
