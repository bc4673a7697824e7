/** Helm, built from its Go module once for each version of `helm/go.mod`, into the cache; or the one that `HELM` names. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, needGo, type Say } from "../cluster/binaries.ts";
import { go } from "../cluster/go-module.ts";
import { exclusively } from "../cluster/lock.ts";

const folder = fileURLToPath(new URL("helm", import.meta.url));

/** The chart. */
export const chart = fileURLToPath(new URL("../../deploy/helm/turnpike", import.meta.url));

/** @returns the path of the program. @throws MissingTool without Go. */
export const buildHelm = async (say: Say = () => undefined): Promise<string> => {
  const given = process.env["HELM"];
  if (given) return given;
  const hash = createHash("sha256");
  for (const name of ["go.mod", "go.sum"]) hash.update(readFileSync(join(folder, name)));
  const file = join(cacheFolder(), `helm-${hash.digest("hex").slice(0, 12)}`);
  if (existsSync(file)) return file;
  needGo("builds Helm; or HELM may name it");
  mkdirSync(cacheFolder(), { recursive: true });
  const build = async (): Promise<void> => {
    if (existsSync(file)) return;
    say("building Helm, once: about 3 minutes on two cores");
    const temporary = `${file}.${process.pid}`;
    await go(folder, "build", "-p", "2", "-ldflags", "-s -w", "-o", temporary, "helm.sh/helm/v4/cmd/helm");
    renameSync(temporary, file);
  };
  await exclusively(`${file}.lock`, build, () => say("waiting for another build of Helm"));
  return file;
};

export interface Helm {
  /** What it printed. Rejects with its complaint. */
  (...args: readonly string[]): Promise<string>;
}

let made: string | undefined;
/** Of this process; it goes with it. */
const homeOfHelm = (): string => {
  if (made === undefined) {
    const home = mkdtempSync(join(tmpdir(), "turnpike-helm-"));
    process.once("exit", () => rmSync(home, { recursive: true, force: true }));
    made = home;
  }
  return made;
};

/** @param kubeconfig of the cluster; without it, only what needs none. */
export const helmFor = async (kubeconfig = "/dev/null"): Promise<Helm> => {
  const program = await buildHelm();
  const home = homeOfHelm();
  return (...args) =>
    new Promise((resolve, reject) => {
      execFile(
        program,
        args,
        {
          encoding: "utf8",
          maxBuffer: 64 * 2 ** 20,
          env: {
            PATH: process.env["PATH"],
            HOME: home,
            KUBECONFIG: kubeconfig,
            HELM_CACHE_HOME: home,
            HELM_CONFIG_HOME: home,
            HELM_DATA_HOME: home,
          },
        },
        (error, stdout, stderr) => {
          if (error === null) resolve(stdout);
          else reject(new Error(`helm ${args.join(" ")}: ${stderr || stdout}`));
        },
      );
    });
};
