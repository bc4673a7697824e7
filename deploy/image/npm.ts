/**
 * What comes by npm: this package with its dependencies, and Node; for the image and for the archives of the command line.
 * Versions and digests are the lock file's.
 */
import { createHash } from "node:crypto";
import { cpSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "./architecture.ts";
import { command } from "./command.ts";

/** An operating system and a processor, as npm names them. */
export interface Platform {
  readonly os: "linux" | "darwin";
  readonly cpu: "x64" | "arm64";
}

interface Locked {
  readonly version: string;
  readonly integrity?: string;
}

interface Lock {
  readonly packages: Readonly<Record<string, Locked>>;
}

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly overrides: unknown;
}

const readJson = (...path: readonly string[]): unknown => JSON.parse(readFileSync(join(...path), "utf8"));

/** For people and compilers, of packages that others wrote. */
const LEFT_OUT = [
  "@types",
  "**/node_modules/@types",
  "**/undici-types",
  "**/*.{map,ts,mts,cts,tsbuildinfo,flow}",
  "**/*.{c,cc,cpp,h,hh,hpp,S,asm,gyp,gypi}",
  "**/.{jest-cache,github,nyc_output}",
  "**/{README,readme,Readme,CHANGELOG,changelog,HISTORY}.md",
  "**/musl_{x64,arm64}",
  // Of another runtime, for each of its platforms.
  "bare-*/prebuilds",
  "werift/{examples,doc,docs}",
  "koffi/{doc,vendor,cnoke.cjs}",
];

/** Packs `what` into `folder`. @returns the path of the tarball. */
const pack = (what: string, folder: string): string => {
  mkdirSync(folder, { recursive: true });
  const out = command("npm", ["pack", what, "--silent", "--prefer-offline", "--pack-destination", folder], {
    cwd: folder,
  });
  const name = out.trim().split("\n").at(-1) ?? "";
  return join(folder, name.replace(/^@/, "").replaceAll("/", "-"));
};

const unpack = (tarball: string, into: string, ...paths: readonly string[]): void => {
  mkdirSync(into, { recursive: true });
  command("tar", ["-xzf", tarball, "--no-same-owner", "--strip-components=1", "-C", into, ...paths], { cwd: into });
};

/** @throws Error if a package in `folder` is not as the lock file of the checkout has it. */
const compareWithLock = (checkout: string, folder: string): void => {
  const { packages: locked } = readJson(checkout, "package-lock.json") as Lock;
  const { packages: installed } = readJson(folder, "node_modules/.package-lock.json") as Lock;
  const known = new Set(Object.values(locked).map(({ version, integrity }) => `${version} ${integrity}`));
  for (const [path, { version, integrity }] of Object.entries(installed))
    if (!known.has(`${version} ${integrity}`)) throw new Error(`${path} ${version} is not in the lock file`);
};

/**
 * Installs what the package needs, werift included, for `platform`.
 *
 * @returns the SBOM that npm makes of it.
 */
const installDependencies = (checkout: string, folder: string, { os, cpu }: Platform): unknown => {
  mkdirSync(folder, { recursive: true });
  const { version, dependencies, peerDependencies, overrides } = readJson(checkout, "package.json") as Manifest;
  const manifest = {
    name: "turnpike",
    version,
    license: "Apache-2.0",
    dependencies: { ...dependencies, ...peerDependencies },
    overrides,
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  for (const name of ["package-lock.json", ".npmrc"]) cpSync(join(checkout, name), join(folder, name));
  const machine = [`--cpu=${cpu}`, `--os=${os}`, ...(os === "linux" ? ["--libc=glibc"] : [])];
  const options = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--silent", ...machine];
  command("npm", ["install", ...options], { cwd: folder });
  compareWithLock(checkout, folder);
  return JSON.parse(command("npm", ["sbom", "--sbom-format", "cyclonedx", ...machine], { cwd: folder })) as unknown;
};

/**
 * Puts the package with its dependencies for `platform` into `home`, without files that only people and compilers read.
 *
 * @param folder to work in.
 * @param tarball of the package; it is packed, unless given.
 * @returns the SBOM of the dependencies.
 */
export const installPackage = (
  checkout: string,
  home: string,
  folder: string,
  platform: Platform,
  tarball = pack(checkout, join(folder, "packed")),
): unknown => {
  const sbom = installDependencies(checkout, join(folder, "dependencies"), platform);
  unpack(tarball, home);
  const modules = join(home, "node_modules");
  // It carries some; here are all.
  rmSync(modules, { recursive: true, force: true });
  renameSync(join(folder, "dependencies/node_modules"), modules);
  for (const path of globSync([...LEFT_OUT, ".bin", "**/.bin", ".package-lock.json"], { cwd: modules }))
    rmSync(join(modules, path), { recursive: true, force: true });
  for (const path of globSync("dist/**/*.d.ts", { cwd: home })) rmSync(join(home, path));
  return sbom;
};

/**
 * Puts the package into the image's `root`, at `/usr/lib/turnpike`.
 *
 * @param tarball of the package; it is packed, unless given.
 * @returns the SBOM of what it needs.
 */
export const installTurnpike = (
  checkout: string,
  root: string,
  folder: string,
  { node }: Architecture,
  tarball?: string,
): unknown => {
  const home = join(root, "usr/lib/turnpike");
  const sbom = installPackage(checkout, home, folder, { os: "linux", cpu: node }, tarball);
  rmSync(join(home, "bin"), { recursive: true });
  return sbom;
};

/** The npm package with Node for Linux on this processor. */
export const nodePackage = (cpu: Platform["cpu"]): string => `node-linux-${cpu}`;

/**
 * Fetches Node for Linux: `bin/node` and `LICENSE`.
 *
 * @param folder to work in.
 * @returns the folder that has them, and the version.
 */
export const fetchNode = (
  checkout: string,
  folder: string,
  cpu: Platform["cpu"],
): { readonly unpacked: string; readonly version: string } => {
  const name = nodePackage(cpu);
  const { packages } = readJson(checkout, "package-lock.json") as Lock;
  const { version = "", integrity = "" } = packages[`node_modules/${name}`] ?? {};
  const tarball = pack(`${name}@${version}`, folder);
  const digest = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
  if (digest !== integrity) throw new Error(`${name}@${version} is not what the lock file says`);
  const unpacked = join(folder, "unpacked");
  unpack(tarball, unpacked, "package/bin/node", "package/LICENSE");
  return { unpacked, version };
};

/** Puts Node's binary into `root`, at `/usr/bin/node`. @returns its version. */
export const installNode = (checkout: string, root: string, folder: string, { node }: Architecture): string => {
  const { unpacked, version } = fetchNode(checkout, folder, node);
  mkdirSync(join(root, "usr/share/doc/node"), { recursive: true });
  mkdirSync(join(root, "usr/bin"), { recursive: true });
  cpSync(join(unpacked, "bin/node"), join(root, "usr/bin/node"));
  cpSync(join(unpacked, "LICENSE"), join(root, "usr/share/doc/node/copyright"));
  return version;
};

/** Names and versions of packages below `modules`, as they lie there. */
export const packagesIn = (modules: string): ReadonlySet<string> => {
  const found = new Set<string>();
  for (const path of globSync(["**/package.json"], { cwd: modules })) {
    if (!/(^|\/node_modules\/)(@[^/]+\/)?[^/]+\/package\.json$/.test(path)) continue;
    const { name, version } = readJson(modules, path) as { readonly name?: string; readonly version?: string };
    if (name !== undefined && version !== undefined) found.add(`${name}@${version}`);
  }
  return found;
};
