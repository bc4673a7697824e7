/**
 * Where the servers come from. `KUBEBUILDER_ASSETS`, if set, is a folder with `etcd`, `kube-apiserver` and perhaps
 * `kube-controller-manager`. What it lacks is built with Go, once for each version, into
 * `${XDG_CACHE_HOME:-~/.cache}/turnpike`; etcd is the one on the PATH.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { exclusively } from "./lock.ts";
import { go, serverFolder, writeGoModule } from "./go-module.ts";
import { whereIs } from "./process.ts";

/** The version of the committed `server/go.mod`. */
export const defaultVersion = "1.34.4";

/** The version that clusters run unless told otherwise: `KUBERNETES_VERSION=1.35.4 npm test` tries another. */
export const testedVersion = process.env["KUBERNETES_VERSION"] || defaultVersion;

export type Say = (line: string) => void;

/** Something to install first; the message says what. */
export class MissingTool extends Error {}

export const cacheFolder = (): string => join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "turnpike");

export const needGo = (purpose: string): void => {
  if (whereIs("go") === undefined)
    throw new MissingTool(
      `missing: go, 1.24 or later (${purpose}); install it from https://go.dev/dl, ` +
        "or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kube-controller-manager",
    );
};

/** Programs that are built of the modules of Kubernetes, by their folder below `server/`. */
const programs = {
  server: { folder: ".", what: "the API server", minutes: 4 },
  node: { folder: "./node", what: "kubelet, kube-proxy and the scheduler", minutes: 2 },
} as const;

export type Program = keyof typeof programs;

const buildInto = async (file: string, version: string, folder: string): Promise<void> => {
  const [major, minor] = version.split(".");
  const stamp = Object.entries({ gitVersion: `v${version}`, gitMajor: major, gitMinor: minor })
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
    .join(" ");
  const generated = version === defaultVersion ? undefined : mkdtempSync(join(tmpdir(), "turnpike-kube-"));
  const temporary = `${file}.${process.pid}`;
  try {
    if (generated !== undefined) await writeGoModule(version, generated);
    await go(generated ?? serverFolder, "build", "-p", "2", "-ldflags", `-s -w ${stamp}`, "-o", temporary, folder);
    renameSync(temporary, file);
  } finally {
    rmSync(temporary, { force: true });
    if (generated !== undefined) rmSync(generated, { recursive: true });
  }
};

/** A program of Kubernetes `version`, built if it is not there. */
export const builtProgram = async (program: Program, version: string, say: Say): Promise<string> => {
  const { folder, what, minutes } = programs[program];
  const source = createHash("sha256")
    .update(readFileSync(join(serverFolder, folder, "main.go")))
    .digest("hex");
  const file = join(cacheFolder(), `kube${program === "server" ? "" : `-${program}`}-${version}-${source.slice(0, 8)}`);
  if (existsSync(file)) return file;
  if (!/^1\.\d+\.\d+$/.test(version))
    throw new Error(`not a version of Kubernetes: ${version} (expected one such as ${defaultVersion})`);
  needGo(`builds ${what} of Kubernetes`);
  mkdirSync(cacheFolder(), { recursive: true });
  const build = async (): Promise<void> => {
    if (existsSync(file)) return;
    say(`building ${what} of Kubernetes ${version}, once: about ${minutes} minutes on two cores`);
    const start = performance.now();
    await buildInto(file, version, folder);
    say(`built ${what} of Kubernetes ${version} in ${Math.round((performance.now() - start) / 1000)} s: ${file}`);
  };
  await exclusively(`${file}.lock`, build, () => say(`waiting for another build of ${what} of Kubernetes ${version}`));
  return file;
};

export interface Binaries {
  readonly etcd: string;
  /** Commands to put flags behind. */
  readonly apiServer: readonly string[];
  readonly controllerManager: readonly string[];
}

/** Finds or builds what a cluster of this version runs. Assets count for every version: they have only one. */
export const findBinaries = async (version: string, say: Say): Promise<Binaries> => {
  const folder = process.env["KUBEBUILDER_ASSETS"];
  const asset = (name: string): string | undefined => (folder ? whereIs(name, [folder]) : undefined);
  const etcd = asset("etcd") ?? whereIs("etcd");
  if (etcd === undefined)
    throw new MissingTool("missing: etcd (storage of the API server); on Debian: sudo apt-get install etcd-server");
  const either = async (name: string): Promise<readonly string[]> => {
    const there = asset(name);
    return there === undefined ? [await builtProgram("server", version, say), name] : [there];
  };
  return {
    etcd,
    apiServer: await either("kube-apiserver"),
    controllerManager: await either("kube-controller-manager"),
  };
};
