/** The program in the kernel and its maps, as this process holds them. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { loadBpf, type Bpf } from "./bpf.ts";
import { KEY_BYTES, MAX_FLOWS, VALUE_BYTES } from "./flow-map.ts";
import { handedUp, type HandedUp } from "./handed-up.ts";
import { readObject } from "./object.ts";

/** `MAX_HEADERS` and `MAX_PAYLOAD` of `channel-data.bpf.c`. */
const SCRATCH_BYTES = 52 + 2048;
const OBJECT = new URL("channel-data.bpf.o", import.meta.url);

/** Descriptors: every thread of the process may use them. */
export interface OffloadProgram {
  readonly flows: number;
  readonly handedUp: number;
  readonly scratch: number;
  readonly program: number;
}

/** @throws BpfError: which step was refused, and why. */
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
      bpf.createMap("handed_up", { type: "percpu-array", keyBytes: 4, valueBytes: 8, entries: handedUp.length }),
    );
    const scratch = keep(
      bpf.createMap("scratch", { type: "percpu-array", keyBytes: 4, valueBytes: SCRATCH_BYTES, entries: 1 }),
    );
    const maps = new Map(Object.entries({ flows, handed_up: reasons, scratch }));
    const program = bpf.loadClassifier("channel_data", object.instructions("tc", maps), object.license);
    return { flows, handedUp: reasons, scratch, program };
  } catch (error) {
    for (const fd of opened) bpf.close(fd);
    throw error;
  }
};

export const closeProgram = ({ flows, handedUp: reasons, scratch, program }: OffloadProgram, bpf = loadBpf()): void => {
  for (const fd of [program, flows, reasons, scratch]) bpf.close(fd);
};

/** How many CPUs a value of a per-CPU map is for: those that this machine might have. */
const possibleCpus = (): number => {
  try {
    const last = /(\d+)\s*$/.exec(readFileSync("/sys/devices/system/cpu/possible", "latin1"))?.[1];
    return Number(last) + 1;
  } catch {
    return availableParallelism();
  }
};

/** Datagrams that the program handed up so far, by why. */
export const handedUpCounts = (
  { handedUp: map }: OffloadProgram,
  bpf = loadBpf(),
): Readonly<Record<HandedUp, number>> => {
  const values = Buffer.alloc(8 * possibleCpus());
  const key = Buffer.alloc(4);
  const entries = handedUp.map(({ name }, index) => {
    key.writeUInt32LE(index);
    bpf.lookUp(map, key, values);
    let sum = 0;
    for (let at = 0; at < values.length; at += 8) sum += Number(values.readBigUInt64LE(at));
    return [name, sum] as const;
  });
  return Object.fromEntries(entries) as Record<HandedUp, number>;
};
