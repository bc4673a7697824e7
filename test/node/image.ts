/** The image of this checkout as an archive, made once for each version of what goes into it, into the cache. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cacheFolder } from "../cluster/binaries.ts";
import { exclusively } from "../cluster/lock.ts";
import { pack } from "../support/pack.ts";

const run = promisify(execFile);
const checkout = fileURLToPath(new URL("../..", import.meta.url));

/** What the package and the image are made of. */
const SOURCES = [
  "package.json",
  "package-lock.json",
  "CHANGELOG.md",
  "{src,bin,examples}/**/*",
  "deploy/{crds,image}/**/*",
  "scripts/package.ts",
];
const KEPT = 3;

export const IMAGE = "turnpike:test";

const digestOf = (): string => {
  const hash = createHash("sha256");
  for (const path of globSync(SOURCES, { cwd: checkout }).toSorted()) {
    const file = join(checkout, path);
    if (statSync(file).isFile() && !path.endsWith(".test.ts")) hash.update(`${path}\0`).update(readFileSync(file));
  }
  return hash.digest("hex").slice(0, 12);
};

const dropOld = (): void => {
  const all = readdirSync(cacheFolder())
    .filter((name) => /^image-[\da-f]{12}\.tar$/.test(name))
    .map((name) => join(cacheFolder(), name))
    .toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const file of all.slice(KEPT)) rmSync(file, { force: true });
};

/** @returns the path of the archive of `turnpike:test`. */
export const testImage = async (): Promise<string> => {
  const file = join(cacheFolder(), `image-${digestOf()}.tar`);
  const make = async (): Promise<void> => {
    if (existsSync(file)) return;
    const folder = mkdtempSync(join(tmpdir(), "turnpike-image-"));
    try {
      const { tarball } = await pack(folder);
      const script = join(checkout, "deploy/image/main.ts");
      await run(process.execPath, [script, "--name", IMAGE, "--out", folder, "--package", tarball], {
        maxBuffer: 16 * 2 ** 20,
      });
      const [archive = ""] = globSync("turnpike-*.tar", { cwd: folder });
      const temporary = `${file}.${process.pid}`;
      await run("cp", [join(folder, archive), temporary]);
      renameSync(temporary, file);
      dropOld();
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
  await exclusively(`${file}.lock`, make, () => undefined);
  return file;
};
