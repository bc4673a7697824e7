import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";

/** A relay that stands idle, and an exception in something else. */
const program = `
  import { loadSys } from ${JSON.stringify(new URL("sys.ts", import.meta.url).href)};
  import { Loop } from ${JSON.stringify(new URL("loop.ts", import.meta.url).href)};
  const sys = loadSys();
  const loop = new Loop(sys, () => undefined, () => undefined, undefined);
  loop.watch(sys.eventfd());
  setTimeout(() => { throw new Error("not caught"); }, 200);
`;

it("does not keep a process that ends by an exception", async () => {
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", program], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, "exit")) as [number | null];
  expect(said).toContain("not caught");
  expect(code).toBe(1);
});
