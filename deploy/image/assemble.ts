/**
 * Assembles the image: `node deploy/image/assemble.ts OUT [amd64|arm64 [TARBALL]]` makes `OUT/root`, its file system, with the
 * package in `TARBALL`, or that of this checkout, and `OUT/sbom.cdx.json`. The Dockerfile copies what it has made; tests look
 * at it and run it. It needs apt, dpkg, tar and npm, and root, whom files then belong to. Nothing that is for the image's
 * machine is run, so it may be another.
 */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { architectureOf, type Architecture } from "./architecture.ts";
import { installDebian } from "./debian.ts";
import { programs, programText } from "./names.ts";
import { installNode, installTurnpike, packagesIn } from "./npm.ts";
import { sbomOf, type Sbom } from "./sbom.ts";
import { walk } from "./walk.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));

/** Nobody's user, as other images without a shell have it; STUNner's pods run as this one. */
const USER = 65_532;

const FILES: Readonly<Record<string, string>> = {
  "etc/passwd": `root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:${USER}:${USER}:nonroot:/home/nonroot:/sbin/nologin\n`,
  "etc/group": `root:x:0:\nnonroot:x:${USER}:\n`,
  "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
};

const write = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};

/** Node, what is started with it, and what the kernel starts it with. */
const isProgram = (path: string): boolean =>
  `/${path}` in programs || path === "usr/bin/node" || /^ld-linux.*\.so/.test(basename(path));

/** Only programs run, and only root writes; whatever modes an archive had. */
const setModes = (root: string): void => {
  for (const entry of walk(root)) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    const runs = isProgram(relative(root, path));
    chmodSync(path, entry.isDirectory() || runs ? 0o755 : 0o644);
  }
  chmodSync(root, 0o755);
  chmodSync(join(root, "tmp"), 0o1777);
  chmodSync(join(root, "var/tmp"), 0o1777);
  const home = join(root, "home/nonroot");
  mkdirSync(home);
  chmodSync(home, 0o700);
  chownSync(home, USER, USER);
};

/** @param out must not be there. */
export const assemble = (out: string, architecture: Architecture, tarball?: string): void => {
  const root = join(out, "root");
  mkdirSync(root, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), "turnpike-image-"));
  try {
    const debian = installDebian(root, join(folder, "debian"), architecture);
    const node = installNode(checkout, root, join(folder, "node"), architecture);
    if (process.versions.node !== node)
      throw new Error(`this is Node ${process.versions.node}: what is linked into ${node} is not known`);
    const npm = installTurnpike(checkout, root, join(folder, "npm"), architecture, tarball) as Sbom;
    const installed = packagesIn(join(root, "usr/lib/turnpike/node_modules"));
    const sbom = sbomOf({ npm, installed, debian, node, linked: process.versions }, architecture);
    for (const [path, text] of Object.entries(FILES)) write(join(root, path), text);
    for (const [path, first] of Object.entries(programs)) write(join(root, path), programText(first));
    for (const path of [join(root, "usr/share/sbom/turnpike.cdx.json"), join(out, "sbom.cdx.json")])
      write(path, `${JSON.stringify(sbom, null, 2)}\n`);
    setModes(root);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

if (import.meta.main) {
  const [out = "", architecture = process.arch === "x64" ? "amd64" : process.arch, tarball] = process.argv.slice(2);
  if (out === "") throw new Error("where to? node deploy/image/assemble.ts OUT [amd64|arm64]");
  assemble(resolve(out), architectureOf(architecture), tarball);
}
