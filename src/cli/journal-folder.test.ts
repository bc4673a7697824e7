import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { journalFolder } from "./journal-folder.ts";

let root: string;
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), "turnpike-folder-"))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

const ask = (folder: string): { readonly folder: string; readonly said: readonly string[] } => {
  const said: string[] = [];
  return { folder: journalFolder(folder, (other) => said.push(other)), said };
};

it("is where it says when that can be written to", () => {
  expect(ask(join(root, "log"))).toEqual({ folder: join(root, "log"), said: [] });
});

it("is below the system's folder for temporary files where it cannot, and that is said", () => {
  // A file is in the way: root may write into any folder.
  writeFileSync(join(root, "taken"), "");
  const other = join(tmpdir(), root, "taken/log");
  expect(ask(join(root, "taken/log"))).toEqual({ folder: other, said: [other] });
});
