/** The object in the repository is what the source beside it compiles to. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";

const folder = fileURLToPath(new URL("../../src/dataplane/offload/", import.meta.url));

it("is compiled from its source", () => {
  const out = mkdtempSync(join(tmpdir(), "turnpike-object-"));
  onTestFinished(() => rmSync(out, { recursive: true }));
  const { status, stderr } = spawnSync(join(folder, "build.sh"), [join(out, "object")], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const { stdout: compiler } = spawnSync("clang", ["--version"], { encoding: "utf8" });
  const isSame = readFileSync(join(out, "object")).equals(readFileSync(join(folder, "channel-data.bpf.o")));
  expect(isSame, `run build.sh, with clang 14 of Debian 12; this is ${compiler}`).toBe(true);
});
