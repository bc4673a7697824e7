/**
 * The command line as archives, for people without npm: one folder with the programs, the dependencies for one platform and, for
 * Linux, Node itself. npm has no package with the pinned Node for macOS: there, Node comes from the PATH. The same files give the
 * same archive, byte for byte.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { command } from "../deploy/image/command.ts";
import { fetchNode, installPackage, nodePackage, type Platform } from "../deploy/image/npm.ts";
import { walk } from "../deploy/image/walk.ts";
import { whereIs } from "../test/cluster/process.ts";
import { binaryOf } from "./binary.ts";

const checkout = fileURLToPath(new URL("..", import.meta.url));

export const platforms: readonly Platform[] = [
  { os: "linux", cpu: "x64" },
  { os: "linux", cpu: "arm64" },
  { os: "darwin", cpu: "x64" },
  { os: "darwin", cpu: "arm64" },
];

/** Name of the folder in an archive; the file is `NAME.tar.gz`. */
export const archiveOf = (version: string, { os, cpu }: Platform): string => `turnpike-${version}-${os}-${cpu}`;

/** Options of GNU tar for an archive that depends on names, contents and who may run a file, and on nothing else. */
export const REPRODUCIBLE = [
  "--format=gnu",
  "--sort=name",
  "--mtime=@0",
  "--owner=0",
  "--group=0",
  "--numeric-owner",
  "--mode=u=rwX,go=rX",
  "-I",
  "gzip -n",
];

/** Makes the archive for `platform` into `out`. @param tarball the npm package. */
export const makeArchive = (out: string, version: string, platform: Platform, tarball: string): void => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-archive-"));
  try {
    const name = archiveOf(version, platform);
    const home = join(folder, name);
    installPackage(checkout, home, join(folder, "npm"), platform, tarball);
    if (platform.os === "linux") {
      const { unpacked } = fetchNode(checkout, join(folder, "node"), platform.cpu);
      // Where npm puts it, and bin/turnpike finds it.
      const place = join(home, "node_modules", nodePackage(platform.cpu));
      mkdirSync(place);
      cpSync(unpacked, place, { recursive: true });
    }
    command("tar", ["--create", "--file", join(out, `${name}.tar.gz`), ...REPRODUCIBLE, name], { cwd: folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Unpacks the archive for `platform` into `scratch`. @returns the folder of its programs. */
export const unpackArchive = (folder: string, version: string, platform: Platform, scratch: string): string => {
  const name = archiveOf(version, platform);
  command("tar", ["--extract", "--file", join(folder, `${name}.tar.gz`)], { cwd: scratch });
  return join(scratch, name, "bin");
};

/** What stands in `home` and is for a machine, by path. @throws Error if something is for another platform or is missing. */
const binariesIn = (home: string, { os, cpu }: Platform): readonly string[] => {
  const binaries = walk(home).flatMap((entry) => {
    if (!entry.isFile()) return [];
    const path = join(entry.parentPath, entry.name);
    const binary = binaryOf(path);
    return binary === undefined || binary === "bpf" ? [] : [{ path: relative(home, path), binary }];
  });
  for (const { path, binary } of binaries)
    if (binary !== `${os}-${cpu}`) throw new Error(`${path} is for ${binary}, not for ${os}-${cpu}`);
  const found = binaries.map(({ path }) => path);
  const expected = [
    `node_modules/@koromix/koffi-${os}-${cpu}/${os}_${cpu}/koffi.node`,
    ...(os === "linux" ? [`node_modules/${nodePackage(cpu)}/bin/node`] : []),
  ];
  if (found.toSorted().join() !== expected.join())
    throw new Error(`the archive for ${os}-${cpu} has the binaries ${found.join(", ")}`);
  return found;
};

/** The platform of this machine. */
export const native: Platform = { os: "linux", cpu: process.arch === "arm64" ? "arm64" : "x64" };

/** Programs that `bin/turnpike` calls; no Node. */
export const makePath = (folder: string): string => {
  const path = join(folder, "path");
  mkdirSync(path);
  for (const name of ["sh", "readlink", "dirname"]) {
    const at = whereIs(name);
    if (at === undefined) throw new Error(`${name} is not on the PATH`);
    symlinkSync(at, join(path, name));
  }
  return path;
};

/** Checks each archive in `folder`, and runs the one for this machine without another Node. @returns a line each. */
export const verifyArchives = (folder: string, version: string): readonly string[] =>
  platforms.map((platform) => {
    const scratch = mkdtempSync(join(tmpdir(), "turnpike-unpacked-"));
    try {
      const bin = unpackArchive(folder, version, platform, scratch);
      const home = join(bin, "..");
      const name = archiveOf(version, platform);
      const binaries = binariesIn(home, platform);
      const content = `binaries for ${platform.os}-${platform.cpu} only: ${binaries.map((path) => path.replace(/.*\//, "")).join(", ")}`;
      if (platform.os !== native.os || platform.cpu !== native.cpu) return `${name}: ${content}; not run here`;
      const env = { PATH: makePath(scratch) };
      const turnpike = (...args: readonly string[]): string =>
        execFileSync(join(bin, "turnpike"), args, { cwd: scratch, env, encoding: "utf8" });
      const said = turnpike("--version").trim();
      if (said !== version) throw new Error(`the archive says that it is ${said}`);
      turnpike("lint", join(home, "examples/quickstart"));
      if (!turnpike("standalone", "--help").startsWith("Usage: turnpike standalone"))
        throw new Error("the archive's standalone has no help");
      return `${name}: ${content}; \`--version\`, \`lint\` of the example and \`standalone --help\` ran without Node on the PATH`;
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
