/** Programs on pion/turn, built once for each version of their source into the cache. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, needGo } from "../cluster/binaries.ts";
import { go } from "../cluster/go-module.ts";
import { exclusively } from "../cluster/lock.ts";

const folder = fileURLToPath(new URL("pion", import.meta.url));

/** @returns the path of the program in `pion/NAME`. @throws MissingTool without Go. */
export const buildPion = async (name: "client" | "server"): Promise<string> => {
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum", ...readdirSync(join(folder, name)).map((one) => join(name, one))])
    hash.update(readFileSync(join(folder, file)));
  const file = join(cacheFolder(), `pion-${name}-${hash.digest("hex").slice(0, 12)}`);
  if (existsSync(file)) return file;
  needGo("builds a TURN client and server on pion/turn");
  mkdirSync(cacheFolder(), { recursive: true });
  await exclusively(
    `${file}.lock`,
    async () => {
      if (existsSync(file)) return;
      const temporary = `${file}.${process.pid}`;
      await go(folder, "build", "-o", temporary, `./${name}`);
      renameSync(temporary, file);
    },
    () => undefined,
  );
  return file;
};
