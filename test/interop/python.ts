/** A Python environment with aiortc, made once for each version into the cache. */
import { spawnSync } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, MissingTool } from "../cluster/binaries.ts";
import { exclusively } from "../cluster/lock.ts";
import { whereIs } from "../cluster/process.ts";

const AIORTC = "1.16.0";

const run = (command: string, ...args: readonly string[]): void => {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
};

/** @returns the path of a Python that has aiortc. @throws MissingTool without Python. */
export const pythonWithAiortc = async (): Promise<string> => {
  const folder = join(cacheFolder(), `aiortc-${AIORTC}`);
  const python = join(folder, "bin/python");
  const isMade = join(folder, "made");
  if (existsSync(isMade)) return python;
  if (whereIs("python3") === undefined)
    throw new MissingTool("missing: python3 (aiortc, a WebRTC stack); on Debian: sudo apt-get install python3-venv");
  await exclusively(
    `${folder}.lock`,
    () => {
      if (existsSync(isMade)) return Promise.resolve();
      rmSync(folder, { recursive: true, force: true });
      run("python3", "-m", "venv", folder);
      run(python, "-m", "pip", "install", "--quiet", `aiortc==${AIORTC}`);
      run("touch", `${isMade}.new`);
      renameSync(`${isMade}.new`, isMade);
      return Promise.resolve();
    },
    () => undefined,
  );
  return python;
};
