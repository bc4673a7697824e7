/** For which platform a file is that a machine runs or loads: ELF and Mach-O, as far as they say it. */
import { closeSync, openSync, readSync } from "node:fs";
import { machineOf, type Machine } from "../test/image/elf.ts";

/** `bpf` runs in the kernel, on any processor. */
export type Binary = "linux-x64" | "linux-arm64" | "darwin-x64" | "darwin-arm64" | "bpf" | "another";

const ELF: Readonly<Record<Machine, Binary>> = {
  amd64: "linux-x64",
  arm64: "linux-arm64",
  bpf: "bpf",
  another: "another",
};

/** `MH_MAGIC_64`, little-endian. */
const MACH_O = 0xfe_ed_fa_cf;
const PROCESSORS: Readonly<Record<number, Binary>> = { 0x1_00_00_07: "darwin-x64", 0x1_00_00_0c: "darwin-arm64" };
/** Mach-O of 32 bits, big-endian, or for several processors. */
const OTHER_MACH_O = [0xfe_ed_fa_ce, 0xce_fa_ed_fe, 0xcf_fa_ed_fe, 0xbe_ba_fe_ca, 0xca_fe_ba_be];

/** @returns undefined for a file without machine code. */
export const binaryOf = (path: string): Binary | undefined => {
  const machine = machineOf(path);
  if (machine !== undefined) return ELF[machine];
  const head = Buffer.alloc(8);
  const file = openSync(path, "r");
  try {
    if (readSync(file, head) < head.length) return undefined;
  } finally {
    closeSync(file);
  }
  const magic = head.readUInt32LE(0);
  if (magic === MACH_O) return PROCESSORS[head.readUInt32LE(4)] ?? "another";
  return OTHER_MACH_O.includes(magic) ? "another" : undefined;
};
