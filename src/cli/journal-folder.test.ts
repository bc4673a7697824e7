import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { journalFolder } from "./journal-folder.ts";

let root: string;
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), "turnpike-folder-"))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

const ask = (folder: string): { readonly folder: string; readonly said: readonly string[] } => {
  const said: string[] = [];
  return { folder: journalFolder(folder, (other, why) => said.push(`${other}: ${why}`)), said };
};

it("is where it says when that can be written to", () => {
  expect(ask(join(root, "log"))).toEqual({ folder: join(root, "log"), said: [] });
});

it("is below the system's folder for temporary files where it cannot, and that is said", () => {
  // A file is in the way: root may write into any folder.
  writeFileSync(join(root, "taken"), "");
  const other = join(tmpdir(), root, "taken/log");
  expect(ask(join(root, "taken/log"))).toEqual({
    folder: other,
    said: [`${other}: ${join(root, "taken/log")} cannot be written to`],
  });
});

/** A lock of a process that runs: our parent. Its start is unknown where there is no /proc. */
const take = (folder: string): void => {
  mkdirSync(folder, { recursive: true });
  const stat = existsSync(`/proc/${process.ppid}/stat`) ? readFileSync(`/proc/${process.ppid}/stat`, "utf8") : "";
  writeFileSync(join(folder, "lock"), `${process.ppid} ${stat.split(") ").at(-1)?.split(" ")[19] ?? ""}`);
};

it("has a number where other processes have it, and that is said", () => {
  const folder = join(root, "log");
  take(folder);
  const why = `process ${process.ppid} is writing to ${folder}`;
  expect(ask(folder)).toEqual({ folder: `${folder}-2`, said: [`${folder}-2: ${why}`] });
  take(`${folder}-2`);
  expect(ask(folder)).toEqual({ folder: `${folder}-3`, said: [`${folder}-3: ${why}`] });
});

it("uses the folders of ended processes again", () => {
  const folder = join(root, "log");
  take(folder);
  for (const content of ["999999999 1", `${process.ppid} 1`, "", "no lock"]) {
    mkdirSync(`${folder}-2`, { recursive: true });
    writeFileSync(join(`${folder}-2`, "lock"), content);
    expect(ask(folder).folder).toBe(`${folder}-2`);
  }
  expect(readdirSync(root)).toEqual(["log", "log-2"]);
  expect(readdirSync(`${folder}-2`)).toEqual(["lock"]);
});
