/** How the archives of the command line are named and checked. `npm run release -- --dry-run` makes them, and runs one. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { archiveOf, platforms } from "../../scripts/archives.ts";
import { binaryOf } from "../../scripts/binary.ts";
import { publications } from "../../scripts/publications.ts";

it("are named by version and platform, and are assets of the release", () => {
  expect(platforms.map((platform) => archiveOf("1.2.3", platform))).toEqual([
    "turnpike-1.2.3-linux-x64",
    "turnpike-1.2.3-linux-arm64",
    "turnpike-1.2.3-darwin-x64",
    "turnpike-1.2.3-darwin-arm64",
  ]);
  expect(publications[0]?.commands.join("\n")).toContain(" turnpike-*.tar.gz ");
});

const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), "turnpike-binary-"));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
};

const MACH_O = [0xcf, 0xfa, 0xed, 0xfe];
const ELF = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0];

it.each([
  ["ELF for x64", [...ELF, 62, 0], "linux-x64"],
  ["ELF for arm64", [...ELF, 183, 0], "linux-arm64"],
  ["ELF for RISC-V", [...ELF, 243, 0], "another"],
  ["Mach-O for x64", [...MACH_O, 7, 0, 0, 1], "darwin-x64"],
  ["Mach-O for arm64", [...MACH_O, 0x0c, 0, 0, 1], "darwin-arm64"],
  ["Mach-O for several processors", [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2], "another"],
  ["a text", [...Buffer.from("#!/usr/bin/env node")], undefined],
  ["an empty file", [], undefined],
] as const)("recognise %s", (_, bytes, binary) => {
  const path = join(folder(), "file");
  writeFileSync(path, Uint8Array.from(bytes));
  expect(binaryOf(path)).toBe(binary);
});

it("recognise the Node that runs this", () => {
  expect(binaryOf(process.execPath)).toBe(`${process.platform}-${process.arch}`);
});
