/** What tests start as processes, hundreds of them, is compiled once a run. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Vitest's global setup; what it returns runs after the last test, while processes that are ending may still write. */
export const setup = (): (() => void) => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-compiled-"));
  process.env["NODE_COMPILE_CACHE"] = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
};
