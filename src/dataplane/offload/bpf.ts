/**
 * The bpf(2) system call, through the C library that Node runs on. TCX links need Linux 6.6 (see clsact.ts for older kernels). The kernel frees programs, maps
 * and links when their last file descriptor is closed, so nothing outlives the process.
 */
import { createRequire } from "node:module";
import { getSystemErrorName } from "node:util";
import { loadSys } from "../engines/batch/sys.ts";

const MAP_CREATE = 0;
const MAP_LOOKUP_ELEM = 1;
const MAP_UPDATE_ELEM = 2;
const MAP_DELETE_ELEM = 3;
const PROG_LOAD = 5;
const PROG_TEST_RUN = 10;
const MAP_LOOKUP_BATCH = 24;
const LINK_CREATE = 28;

const MAP_TYPES = { hash: 1, "program-array": 3, "percpu-array": 6, "devmap-hash": 25 } as const;
const BPF_F_NO_PREALLOC = 1;
/** Program types, and where a link attaches a program. */
const PROGRAMS = {
  tc: { type: 3, loadFlags: 0, attachType: 46, flags: 0 },
  // XDP_FLAGS_DRV_MODE: in the driver, or not at all.
  xdp: { type: 6, loadFlags: 0, attachType: 37, flags: 1 << 2 },
  // BPF_F_SLEEPABLE, which the kernel demands of these.
  syscall: { type: 31, loadFlags: 1 << 4 },
} as const;
const ENOENT = 2;
const EAGAIN = 11;
/** A signal to the process interrupts the verifier, which then answers `EAGAIN`. */
const LOAD_TRIES = 20;
/** At least the size of the largest `union bpf_attr` member used here. */
const ATTRIBUTES = 128;
const LOG_BYTES = 1 << 20;
/** The end of the verifier's log has the error. */
const LOG_END = 600;
const NAME_BYTES = 15;

/** `tc`: a classifier at the ingress of an interface. `xdp`: in its driver. `syscall`: run by user space. */
export type ProgramType = keyof typeof PROGRAMS;
export type AttachedType = Exclude<ProgramType, "syscall">;

export interface MapShape {
  readonly type: keyof typeof MAP_TYPES;
  /** Memory is taken for each entry when it is inserted, not for all of them at once. */
  readonly isSparse?: boolean;
  readonly keyBytes: number;
  /** Of the value of one CPU in a per-CPU map. */
  readonly valueBytes: number;
  readonly entries: number;
}

/** A failed system call. */
export class BpfError extends Error {
  /** For example `EPERM`. */
  readonly code: string;

  constructor(what: string, code: string, more = "") {
    super(`${what}: ${code}${more}`);
    this.code = code;
  }
}

export interface Bpf {
  /** @returns a file descriptor. @throws BpfError, as do all methods here. */
  createMap(name: string, shape: MapShape): number;
  /** Sets the value of `key`. */
  update(map: number, key: Buffer, value: Buffer): void;
  /** Copies the value of `key` to `value`. @returns false if the map does not contain `key`. */
  lookUp(map: number, key: Buffer, value: Buffer): boolean;
  /** @returns false if the map does not contain `key`. */
  delete(map: number, key: Buffer): boolean;
  /**
   * Copies up to `count` entries to `keys` and `values`.
   * @param position `next` of the previous call; undefined to start.
   * @param next receives the position to continue from, 8 bytes.
   */
  readBatch(
    map: number,
    position: Buffer | undefined,
    next: Buffer,
    keys: Buffer,
    values: Buffer,
    count: number,
  ): { readonly count: number; readonly isEnd: boolean };
  /** @param instructions with map file descriptors filled in. */
  loadProgram(type: ProgramType, name: string, instructions: Buffer, license: string): number;
  /** Attaches a program to an interface. @returns the link, which lasts until it is closed. */
  attach(type: AttachedType, program: number, interfaceIndex: number): number;
  /** Runs a program on a frame `repeat` times. @returns its verdict, the resulting frame and nanoseconds per run. */
  testRun(
    program: number,
    frame: Buffer,
    repeat?: number,
  ): { readonly verdict: number; readonly frame: Buffer; readonly nanoseconds: number };
  /** Runs a `syscall` program on `context`, which it may change. @returns what the program returns. */
  run(program: number, context: Buffer): number;
  close(fd: number): void;
}

let loaded: Bpf | undefined;

/** @throws Error on platforms without bpf(2). */
export const loadBpf = (): Bpf => {
  loaded ??= load();
  return loaded;
};

const load = (): Bpf => {
  const sys = loadSys();
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
  const syscall = koffi.load(null).func("long syscall(long number, long command, void *attributes, ulong bytes)");
  const number = process.arch === "x64" ? 321 : 280;
  const attributes = Buffer.alloc(ATTRIBUTES);
  const fresh = (): Buffer => attributes.fill(0);
  const pointer = (at: number, to: Buffer): void => void attributes.writeBigUInt64LE(BigInt(sys.addressOf(to)), at);
  const call = (command: number): number => Number(syscall(number, command, attributes, ATTRIBUTES));
  const codeNow = (): string => getSystemErrorName(-sys.errno());
  const must = (what: string, result: number): number => {
    if (result < 0) throw new BpfError(what, codeNow());
    return result;
  };
  const named = (at: number, name: string): void => void attributes.write(name.slice(0, NAME_BYTES), at, "latin1");
  const element = (map: number, key: Buffer, value: Buffer | undefined): void => {
    fresh().writeUInt32LE(map, 0);
    pointer(8, key);
    if (value !== undefined) pointer(16, value);
  };
  const found = (what: string, result: number): boolean => {
    if (result >= 0) return true;
    if (sys.errno() === ENOENT) return false;
    throw new BpfError(what, codeNow());
  };

  return {
    createMap(name, { type, keyBytes, valueBytes, entries, isSparse = false }) {
      fresh().writeUInt32LE(MAP_TYPES[type], 0);
      attributes.writeUInt32LE(keyBytes, 4);
      attributes.writeUInt32LE(valueBytes, 8);
      attributes.writeUInt32LE(entries, 12);
      attributes.writeUInt32LE(isSparse ? BPF_F_NO_PREALLOC : 0, 16);
      named(28, name);
      return must(`creating map ${name}`, call(MAP_CREATE));
    },
    update(map, key, value) {
      element(map, key, value);
      must("updating a map entry", call(MAP_UPDATE_ELEM));
    },
    lookUp(map, key, value) {
      element(map, key, value);
      return found("reading a map entry", call(MAP_LOOKUP_ELEM));
    },
    delete(map, key) {
      element(map, key, undefined);
      return found("deleting a map entry", call(MAP_DELETE_ELEM));
    },
    readBatch(map, position, next, keys, values, count) {
      fresh();
      if (position !== undefined) pointer(0, position);
      pointer(8, next);
      pointer(16, keys);
      pointer(24, values);
      attributes.writeUInt32LE(count, 32);
      attributes.writeUInt32LE(map, 36);
      const isMore = found("reading map entries", call(MAP_LOOKUP_BATCH));
      return { count: attributes.readUInt32LE(32), isEnd: !isMore };
    },
    loadProgram(type, name, instructions, license) {
      const log = Buffer.alloc(LOG_BYTES);
      const terms = Buffer.from(`${license}\0`);
      fresh().writeUInt32LE(PROGRAMS[type].type, 0);
      attributes.writeUInt32LE(instructions.length / 8, 4);
      pointer(8, instructions);
      pointer(16, terms);
      attributes.writeUInt32LE(1, 24);
      attributes.writeUInt32LE(PROGRAMS[type].loadFlags, 44);
      attributes.writeUInt32LE(log.length, 28);
      pointer(32, log);
      named(48, name);
      let program = call(PROG_LOAD);
      for (let tries = 1; program < 0 && sys.errno() === EAGAIN && tries < LOAD_TRIES; tries += 1)
        program = call(PROG_LOAD);
      if (program >= 0) return program;
      const code = codeNow();
      const text = log.toString("latin1", 0, Math.max(0, log.indexOf(0))).trim();
      throw new BpfError(
        `loading the ${type.toUpperCase()} program`,
        code,
        text === "" ? "" : `; verifier: ${text.slice(-LOG_END)}`,
      );
    },
    attach(type, program, interfaceIndex) {
      fresh().writeUInt32LE(program, 0);
      attributes.writeUInt32LE(interfaceIndex, 4);
      attributes.writeUInt32LE(PROGRAMS[type].attachType, 8);
      attributes.writeUInt32LE(PROGRAMS[type].flags, 12);
      return must(`attaching the ${type.toUpperCase()} program`, call(LINK_CREATE));
    },
    testRun(program, frame, repeat = 1) {
      const out = Buffer.alloc(frame.length + 256);
      fresh().writeUInt32LE(program, 0);
      attributes.writeUInt32LE(frame.length, 8);
      attributes.writeUInt32LE(out.length, 12);
      pointer(16, frame);
      pointer(24, out);
      attributes.writeUInt32LE(repeat, 32);
      must("running the program", call(PROG_TEST_RUN));
      return {
        verdict: attributes.readInt32LE(4),
        frame: out.subarray(0, attributes.readUInt32LE(12)),
        nanoseconds: attributes.readUInt32LE(36),
      };
    },
    run(program, context) {
      fresh().writeUInt32LE(program, 0);
      attributes.writeUInt32LE(context.length, 40);
      pointer(48, context);
      must("running the program", call(PROG_TEST_RUN));
      return attributes.readUInt32LE(4);
    },
    close: (fd) => sys.close(fd),
  };
};
