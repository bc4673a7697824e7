/**
 * What `npm pack` does before and behind itself (`prepack`, `postpack`).
 *
 * JavaScript and declarations go to `dist/`, which mirrors `src/`, for Node strips no types inside `node_modules`. And the
 * packages that `overrides` is about go into the package, as `bundleDependencies`: npm heeds overrides of the project that it
 * installs, and of nothing else. For that time they say that they want what they have been given, or npm would find
 * them wrong wherever the package is installed, and set them right (docs/decisions/0012-stun-comes-inside.md).
 */
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

type Ranges = Readonly<Record<string, string>>;

interface Manifest {
  readonly dependencies?: Ranges;
  readonly bundleDependencies?: readonly string[] | undefined;
  readonly overrides?: Readonly<Record<string, Ranges>>;
}

interface Lock {
  readonly packages: Readonly<Record<string, Manifest>>;
}

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

const readJson = (path: string): unknown => JSON.parse(readFileSync(join(root, path), "utf8"));

const { overrides = {} } = readJson("package.json") as Manifest;

/** In one step: others may be reading it. */
const change = (path: string, how: (manifest: Manifest) => Manifest): void => {
  const next = join(root, `${path}.next`);
  writeFileSync(next, `${JSON.stringify(how(readJson(path) as Manifest), null, 2)}\n`);
  renameSync(next, join(root, path));
};

const withRanges = (name: string, ranges: Ranges): void =>
  change(`node_modules/${name}/package.json`, (manifest) => ({
    ...manifest,
    dependencies: { ...manifest.dependencies, ...ranges },
  }));

const clean = (): void => {
  rmSync(dist, { recursive: true, force: true });
  change("package.json", (manifest) => ({ ...manifest, bundleDependencies: undefined }));
  const { packages } = readJson("package-lock.json") as Lock;
  for (const name of Object.keys(overrides)) withRanges(name, packages[`node_modules/${name}`]?.dependencies ?? {});
};

const build = (): void => {
  clean();
  const { status } = spawnSync("tsc", ["-p", "tsconfig.package.json"], { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error("tsc -p tsconfig.package.json failed");
  // Style sheets, schemas and the BPF object, which are read at run time.
  cpSync(join(root, "src"), dist, {
    recursive: true,
    filter: (path) => ![".ts", ".c", ".h", ".sh"].includes(extname(path)) && !path.endsWith("tsconfig.json"),
  });
  for (const [name, ranges] of Object.entries(overrides)) withRanges(name, ranges);
  change("package.json", (manifest) => ({ ...manifest, bundleDependencies: Object.keys(overrides) }));
};

if (process.argv[2] === "clean") clean();
else build();
