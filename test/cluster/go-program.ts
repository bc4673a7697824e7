/** Go programs that are built into the cache. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, needGo, type Say } from "./binaries.ts";
import { go } from "./go-module.ts";
import { exclusively } from "./lock.ts";

/**
 * Builds the program `name`, a folder of the Go module in `folder` or a package that it requires, once for each version of
 * its source.
 * @param file what the program is called. @param purpose of it, for those who have no Go.
 * @returns its path. @throws MissingTool without Go.
 */
export const buildGo = async (
  folder: string,
  name: string,
  file: string,
  purpose: string,
  say: Say = () => undefined,
): Promise<string> => {
  const hash = createHash("sha256");
  const isFolder = existsSync(join(folder, name));
  const own = isFolder ? readdirSync(join(folder, name)).map((each) => join(name, each)) : [];
  for (const one of ["go.mod", "go.sum", ...own]) hash.update(readFileSync(join(folder, one)));
  const path = join(cacheFolder(), `${file}-${hash.digest("hex").slice(0, 12)}`);
  if (existsSync(path)) return path;
  needGo(purpose);
  mkdirSync(cacheFolder(), { recursive: true });
  await exclusively(
    `${path}.lock`,
    async () => {
      if (existsSync(path)) return;
      say(`building ${file}, once`);
      const temporary = `${path}.${process.pid}`;
      await go(folder, "build", "-p", "2", "-ldflags", "-s -w", "-o", temporary, isFolder ? `./${name}` : name);
      renameSync(temporary, path);
    },
    () => undefined,
  );
  return path;
};
