/**
 * The Go module that the servers of a Kubernetes version are built from: `server/main.go` with a `go.mod` that names,
 * for each staging module of Kubernetes, the version published beside it (`k8s.io/api` v0.34.4 with v1.34.4).
 *
 *     node test/cluster/go-module.ts 1.34.4 test/cluster/server    # after a change of the default version
 */
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { tiedToUs } from "./process.ts";

export const serverFolder = fileURLToPath(new URL("server", import.meta.url));

/** Runs the go command with the toolchain that is there, and tells what it printed. Cgo is off: no compiler for C. */
export const go = async (folder: string, ...args: readonly string[]): Promise<string> => {
  const [program, ...rest] = tiedToUs("TERM", ["go", ...args]);
  const child = spawn(program, rest, {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, GOWORK: "off", GOFLAGS: "-buildvcs=false", CGO_ENABLED: "0" },
  });
  const ended = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  const [output, complaints, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new Error(`go ${args.join(" ")}: ${complaints || output}`);
  return output;
};

export interface DownloadedModule {
  /** Folder of its files. */
  readonly Dir: string;
  /** Path of its `go.mod`. */
  readonly GoMod: string;
}

export const downloadModule = async (module: string, version: string): Promise<DownloadedModule> =>
  JSON.parse(await go(serverFolder, "mod", "download", "-json", `${module}@v${version}`)) as DownloadedModule;

/** The staging modules are those that Kubernetes requires at v0.0.0, beside it in its repository. */
const goModOf = (version: string, kubernetesGoMod: string): string => {
  const staging = [...kubernetesGoMod.matchAll(/^\s(k8s\.io\/[\w-]+) v0\.0\.0$/gm)].map(([, module]) => module);
  const [, goVersion = "1.24.0"] = /^go (\S+)$/m.exec(kubernetesGoMod) ?? [];
  const [, godebug] = /^(godebug .*)$/m.exec(kubernetesGoMod) ?? [];
  const stagingVersion = version.replace(/^1\./, "v0.");
  return [
    `// Written by go-module.ts for Kubernetes ${version}.`,
    "module turnpike/test/cluster/server",
    `go ${goVersion}`,
    ...(godebug === undefined ? [] : [godebug]),
    `require k8s.io/kubernetes v${version}`,
    `replace (\n${staging.map((module) => `\t${module} => ${module} ${stagingVersion}`).join("\n")}\n)`,
  ].join("\n\n");
};

/** Writes both `main.go`, `go.mod` and `go.sum` for a version into `folder`. Needs the Go module proxy or a filled cache. */
export const writeGoModule = async (version: string, folder: string): Promise<void> => {
  mkdirSync(folder, { recursive: true });
  for (const main of ["main.go", "node/main.go"]) {
    mkdirSync(dirname(join(folder, main)), { recursive: true });
    if (!existsSync(join(folder, main))) copyFileSync(join(serverFolder, main), join(folder, main));
  }
  const { GoMod } = await downloadModule("k8s.io/kubernetes", version);
  writeFileSync(join(folder, "go.mod"), `${goModOf(version, readFileSync(GoMod, "utf8"))}\n`);
  await go(folder, "mod", "tidy");
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , version, folder] = process.argv;
  if (version === undefined || folder === undefined) throw new Error("usage: go-module.ts VERSION FOLDER");
  await writeGoModule(version, folder);
}
