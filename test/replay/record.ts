/**
 * `npm run record:histories [NAME…]`: plays histories on a real cluster and puts what the operator's log has of them into
 * `test/replay/histories`, cut to what happened. All of them, or those that are named.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import { startCluster } from "../cluster/cluster.ts";
import { failureRecipes } from "./recording/failures.ts";
import { manifestRecipes } from "./recording/manifest-changes.ts";
import { podRecipes } from "./recording/pods.ts";
import { play } from "./recording/stage.ts";

const recipes = { ...podRecipes, ...manifestRecipes, ...failureRecipes };
const folder = fileURLToPath(new URL("histories", import.meta.url));

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => recipes[name] === undefined);
if (unknown.length > 0)
  throw new Error(`no such history: ${unknown.join(", ")}; there are ${Object.keys(recipes).join(", ")}`);

mkdirSync(folder, { recursive: true });
const cluster = await startCluster();
try {
  for (const [name, [options, recipe]] of Object.entries(recipes)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    const file = `${folder}/${name}.jsonl`;
    const lines = await play(cluster, options, recipe).catch((error: unknown) => {
      throw new Error(`${name}: ${String(error)}`, { cause: error });
    });
    const { divergence, transitions } = replay(lines, digest);
    if (divergence !== undefined) throw new Error(`${name} does not replay: ${JSON.stringify(divergence)}`);
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    const before = existsSync(file) ? ", anew" : "";
    writeFileSync(file, text);
    console.log(
      `${name}: ${lines.length} lines, ${transitions} transitions, ${(text.length / 1024).toFixed(0)} KiB${before}`,
    );
  }
} finally {
  await cluster.stop();
}
