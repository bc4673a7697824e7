import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";

const at = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);

/** Runs `body` in a process of its own. `turns` are counted; `loopWith(fd)` watches a descriptor. */
const run = async (
  body: string,
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> => {
  const program = `
    import { readFile } from "node:fs/promises";
    import { loadSys } from ${at("sys.ts")};
    import { Loop } from ${at("loop.ts")};
    const sys = loadSys();
    let turns = 0;
    const loops = [];
    const loopWith = (fd, ready = (fd) => sys.calm(fd)) => {
      const loop = new Loop(sys, ready, () => turns++, undefined);
      loop.watch(fd);
      loops.push(loop);
      return loop;
    };
    ${body}`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", program], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[code], out, err] = await Promise.all([
    once(child, "exit") as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, out, err };
};

it("does not keep a process that ends by an exception", async () => {
  const { code, err } = await run(`
    loopWith(sys.eventfd());
    setTimeout(() => { throw new Error("not caught"); }, 100);`);
  expect(err).toContain("not caught");
  expect(code).toBe(1);
});

it("does not keep a process that has nothing to serve", async () => {
  const fds = `const fds = [sys.eventfd(), sys.eventfd()];`;
  const { code, out } = await run(`${fds}
    const loop = loopWith(fds[0]);
    loop.watch(fds[1]);
    loop.unwatch(fds[0]);
    setTimeout(() => { loop.unwatch(fds[1]); console.log("nothing left"); }, 100);`);
  expect(out).toBe("nothing left\n");
  expect(code).toBe(0);
});

it("makes a turn for what arrives, and none while nothing does", async () => {
  const { out } = await run(`
    const fd = sys.eventfd();
    const loop = loopWith(fd);
    setTimeout(() => {
      console.log("idle", turns);
      sys.wake(fd);
      const look = () => {
        if (turns === 0) return setImmediate(look);
        console.log("woken", turns);
        loop.close();
      };
      look();
    }, 100);`);
  expect(out).toBe("idle 0\nwoken 1\n");
});

it("can be closed by whoever takes a packet, and leaves nothing behind", async () => {
  const { code, out } = await run(`
    import { readdirSync } from "node:fs";
    const descriptors = () => readdirSync("/proc/self/fd").length;
    const fd = sys.eventfd();
    const once = () => new Promise((resolve) => {
      const loop = loopWith(fd, () => { sys.calm(fd); loop.close(); resolve(); });
      sys.wake(fd);
    });
    await once();
    const before = descriptors();
    for (let time = 0; time < 300; time++) await once();
    console.log(descriptors() - before);`);
  expect(out).toBe("0\n");
  expect(code).toBe(0);
});

it("leaves the threads of the process to others, however many there are", async () => {
  const { out } = await run(`
    for (let count = 0; count < 8; count++) loopWith(sys.eventfd());
    const { length } = await readFile("/proc/self/status");
    console.log(length > 0);
    for (const loop of loops) loop.close();`);
  expect(out).toBe("true\n");
});

it("lets Node report what whoever takes a packet throws", async () => {
  const { code, err } = await run(`
    const fd = sys.eventfd();
    loopWith(fd, () => { sys.calm(fd); throw new Error("not caught"); });
    sys.wake(fd);`);
  expect(err).toContain("not caught");
  expect(code).toBe(1);
});
