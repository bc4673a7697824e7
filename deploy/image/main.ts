/** `npm run image`: the image as an archive, for this machine or another, without Docker. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { architectureOf } from "./architecture.ts";
import { writeArchive, type ImageConfig } from "./archive.ts";
import { assemble } from "./assemble.ts";
import { readDockerfile } from "./dockerfile.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  readonly version: string;
};
const native = process.arch === "arm64" ? "arm64" : "amd64";

/** As the last stage of the Dockerfile says it. */
export const imageConfig = (): ImageConfig => {
  const { user, workdir, entrypoint, env, labels, ports, stopSignal } = readDockerfile();
  return {
    User: user,
    ExposedPorts: Object.fromEntries(ports.map((port) => [port, {}])),
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    Entrypoint: entrypoint,
    WorkingDir: workdir,
    Labels: labels,
    StopSignal: stopSignal,
  };
};

interface Flags {
  readonly arch: "amd64" | "arm64";
  readonly name: string;
  readonly out: string;
  readonly package?: string;
  readonly sbom?: boolean;
}

const make = ({ arch, name, out, package: tarball, sbom = false }: Flags): void => {
  if (process.getuid?.() !== 0) throw new Error("the files of the image belong to root: run this as root");
  const folder = mkdtempSync(join(tmpdir(), "turnpike-image-"));
  chmodSync(folder, 0o755);
  try {
    assemble(join(folder, "image"), architectureOf(arch), tarball === undefined ? undefined : resolve(tarball));
    mkdirSync(resolve(out), { recursive: true });
    const file = join(resolve(out), `turnpike-${version}-${arch}.tar`);
    writeArchive({ root: join(folder, "image/root"), out: file, name, architecture: arch, config: imageConfig() });
    if (sbom) copyFileSync(join(folder, "image/sbom.cdx.json"), file.replace(/\.tar$/, ".cdx.json"));
    console.log(`${file}  ${(statSync(file).size / 1e6).toFixed(1)} MB  ${name}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

if (import.meta.main)
  await new Command("image")
    .description("Makes the image as an archive, for docker load, podman load, ctr images import and kind load.")
    .addOption(new Option("--arch <name>", "what it is for").choices(["amd64", "arm64"]).default(native))
    .option("--name <name>", "its name and tag", `turnpike:${version}`)
    .option("--out <folder>", "where the archive goes", ".")
    .option("--sbom", "put the SBOM beside it, as ….cdx.json")
    .option("--package <tarball>", "the package in it, as npm pack makes it (default: that of this checkout)")
    .action(make)
    .parseAsync();
