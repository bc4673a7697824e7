/** Reads a compiled BPF object: 64-bit little-endian ELF, with relocations that refer to maps. */
import { readFileSync } from "node:fs";

const SECTION_BYTES = 64;
const SYMBOL_BYTES = 24;
const RELOCATION_BYTES = 16;
/** `BPF_PSEUDO_MAP_FD`, in the source-register bits of a 64-bit load. */
const MAP_BY_DESCRIPTOR = 0x10;

export interface BpfObject {
  /** The instructions of a section, with map file descriptors filled in. @throws Error for an unknown section or map. */
  instructions(section: string, maps: ReadonlyMap<string, number>): Buffer;
  readonly license: string;
}

interface Section {
  readonly name: string;
  readonly bytes: Buffer;
  readonly link: number;
}

/** @throws Error if `elf` is not such an object. */
export const readObject = (elf: Buffer): BpfObject => {
  if (elf.length < SECTION_BYTES || elf.toString("latin1", 0, 6) !== "\x7fELF\x02\x01")
    throw new Error("not a 64-bit little-endian ELF file");
  const headersAt = Number(elf.readBigUInt64LE(40));
  const count = elf.readUInt16LE(60);
  const namesIndex = elf.readUInt16LE(62);
  const bytesOf = (index: number): Buffer => {
    const at = headersAt + index * SECTION_BYTES;
    const start = Number(elf.readBigUInt64LE(at + 24));
    return elf.subarray(start, start + Number(elf.readBigUInt64LE(at + 32)));
  };
  const text = (bytes: Buffer, at: number): string => bytes.toString("latin1", at, bytes.indexOf(0, at));
  const names = bytesOf(namesIndex);
  const sections: readonly Section[] = Array.from({ length: count }, (_, index) => {
    const at = headersAt + index * SECTION_BYTES;
    return { name: text(names, elf.readUInt32LE(at)), bytes: bytesOf(index), link: elf.readUInt32LE(at + 40) };
  });
  const find = (name: string): Section => {
    const section = sections.find((one) => one.name === name);
    if (section === undefined) throw new Error(`there is no section ${name}`);
    return section;
  };

  return {
    instructions(section, maps) {
      const instructions = Buffer.from(find(section).bytes);
      const symbols = find(".symtab");
      const symbolNames = sections[symbols.link]?.bytes ?? Buffer.alloc(0);
      const relocations = find(`.rel${section}`).bytes;
      for (let at = 0; at < relocations.length; at += RELOCATION_BYTES) {
        const instruction = Number(relocations.readBigUInt64LE(at));
        const symbol = relocations.readUInt32LE(at + 12) * SYMBOL_BYTES;
        const name = text(symbolNames, symbols.bytes.readUInt32LE(symbol));
        const map = maps.get(name);
        if (map === undefined) throw new Error(`there is no map ${name}`);
        const registers = instructions.readUInt8(instruction + 1);
        instructions.writeUInt8((registers & 0x0f) | MAP_BY_DESCRIPTOR, instruction + 1);
        instructions.writeInt32LE(map, instruction + 4);
      }
      return instructions;
    },
    get license() {
      return text(find("license").bytes, 0);
    },
  };
};

/** The object in `file` of this folder. */
export const objectOf = (file: string): BpfObject => readObject(readFileSync(new URL(file, import.meta.url)));
