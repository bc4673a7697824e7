/** The objects in the repository are what the sources beside them compile to. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";

const folder = fileURLToPath(new URL("../../src/dataplane/offload/", import.meta.url));

const objects = readdirSync(folder).filter((name) => name.endsWith(".bpf.o"));

it("objects are compiled from their sources", () => {
  expect(objects).toHaveLength(4);
  const out = mkdtempSync(join(tmpdir(), "turnpike-object-"));
  onTestFinished(() => rmSync(out, { recursive: true }));
  const { status, stderr } = spawnSync(join(folder, "build.sh"), [out], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const { stdout: compiler } = spawnSync("clang", ["--version"], { encoding: "utf8" });
  for (const name of objects) {
    const isSame = readFileSync(join(out, name)).equals(readFileSync(join(folder, name)));
    expect(isSame, `${name}: run build.sh, with clang 14 of Debian 12; this is ${compiler}`).toBe(true);
  }
});
