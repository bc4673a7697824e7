/** The npm package of this checkout, as `npm pack` makes it. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cacheFolder } from "../cluster/binaries.ts";
import { exclusively } from "../cluster/lock.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Packed {
  readonly tarball: string;
  /** Compressed. */
  readonly bytes: number;
  readonly unpackedBytes: number;
  /** Paths in it. */
  readonly files: readonly string[];
  /** What is otherwise in the checkout than before; packing changes it for a while. */
  readonly left: readonly string[];
}

interface PackReport {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

const CHANGED = ["package.json", "node_modules/stun/package.json"];
const MADE = ["dist", ...CHANGED.map((path) => `${path}.next`)];

/** As far as it has no bearing on how a file is laid out. */
const contents = (): ReadonlyMap<string, string> =>
  new Map(CHANGED.map((path) => [path, JSON.stringify(JSON.parse(readFileSync(join(root, path), "utf8")))]));

/** Packs into `folder`; one at a time, for it is made in the checkout. */
export const pack = (folder: string): Promise<Packed> =>
  exclusively(
    join(cacheFolder(), "pack.lock"),
    async () => {
      const before = contents();
      const args = ["pack", "--json", "--foreground-scripts=false", "--pack-destination", folder];
      const { stdout } = await run("npm", args, { cwd: root, maxBuffer: 16 * 2 ** 20 });
      const [report] = JSON.parse(stdout) as readonly PackReport[];
      if (report === undefined) throw new Error("npm pack packed nothing");
      return {
        tarball: join(folder, report.filename),
        bytes: report.size,
        unpackedBytes: report.unpackedSize,
        files: report.files.map(({ path }) => path),
        left: [
          ...CHANGED.filter((path) => contents().get(path) !== before.get(path)),
          ...MADE.filter((path) => existsSync(join(root, path))),
        ],
      };
    },
    () => undefined,
  );
