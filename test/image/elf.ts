/** As much of ELF as says for which machine a file is, and which libraries it asks for. */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/** `bpf` runs in the kernel, on either. */
export type Machine = "amd64" | "arm64" | "bpf" | "another";

const MACHINES: Readonly<Record<number, Machine>> = { 62: "amd64", 183: "arm64", 247: "bpf" };
const PT_DYNAMIC = 2;
const PT_LOAD = 1;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;

const isElf = (bytes: Buffer): boolean => bytes.subarray(0, 4).toString("latin1") === "\x7fELF";

/** @returns undefined where the file is something else. */
export const machineOf = (path: string): Machine | undefined => {
  const head = Buffer.alloc(20);
  const file = openSync(path, "r");
  try {
    if (readSync(file, head) < head.length || !isElf(head)) return undefined;
  } finally {
    closeSync(file);
  }
  // 64 bits, little-endian.
  if (head[4] !== 2 || head[5] !== 1) return "another";
  return MACHINES[head.readUInt16LE(18)] ?? "another";
};

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** Names of the libraries that the file at `path` is linked with. */
export const neededBy = (path: string): readonly string[] => {
  const bytes = readFileSync(path);
  const [table, entryBytes, entries] = [
    Number(bytes.readBigUInt64LE(32)),
    bytes.readUInt16LE(54),
    bytes.readUInt16LE(56),
  ];
  const segments = Array.from({ length: entries }, (_, index): Segment => {
    const at = table + index * entryBytes;
    const long = (offset: number): number => Number(bytes.readBigUInt64LE(at + offset));
    return { type: bytes.readUInt32LE(at), offset: long(8), address: long(16), size: long(32) };
  });
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return [];
  const tags = Array.from({ length: dynamic.size / 16 }, (_, index) => {
    const at = dynamic.offset + index * 16;
    return { tag: bytes.readBigInt64LE(at), value: Number(bytes.readBigUInt64LE(at + 8)) };
  });
  const strings = tags.find(({ tag }) => tag === DT_STRTAB)?.value ?? 0;
  const holder = segments.find(
    ({ type, address, size }) => type === PT_LOAD && address <= strings && strings < address + size,
  );
  const start = strings - (holder?.address ?? 0) + (holder?.offset ?? 0);
  return tags
    .filter(({ tag }) => tag === DT_NEEDED)
    .map(({ value }) => bytes.subarray(start + value, bytes.indexOf(0, start + value)).toString("latin1"));
};
