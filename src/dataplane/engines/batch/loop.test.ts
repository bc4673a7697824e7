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
    import koffi from ${JSON.stringify(import.meta.resolve("koffi"))};
    const sys = loadSys();
    const libc = koffi.load(null);
    const EFD_NONBLOCK = 0o4000;
    const create = libc.func("int eventfd(uint value, int flags)");
    const read = libc.func("long read(int fd, void *buffer, size_t count)");
    const write = libc.func("long write(int fd, const void *buffer, size_t count)");
    const eventfd = () => create(0, EFD_NONBLOCK);
    const wake = (fd) => write(fd, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), 8);
    const calm = (fd) => read(fd, Buffer.alloc(8), 8);
    let turns = 0;
    const loops = [];
    const loopWith = (fd, ready = (fd) => calm(fd)) => {
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
    loopWith(eventfd());
    setTimeout(() => { throw new Error("not caught"); }, 100);`);
  expect(err).toContain("not caught");
  expect(code).toBe(1);
});

it("does not keep a process that has nothing to serve", async () => {
  const fds = `const fds = [eventfd(), eventfd()];`;
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
    const fd = eventfd();
    const loop = loopWith(fd);
    setTimeout(() => {
      console.log("idle", turns);
      wake(fd);
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
    const fd = eventfd();
    const once = () => new Promise((resolve) => {
      const loop = loopWith(fd, () => { calm(fd); loop.close(); resolve(); });
      wake(fd);
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
    for (let count = 0; count < 8; count++) loopWith(eventfd());
    const { length } = await readFile("/proc/self/status");
    console.log(length > 0);
    for (const loop of loops) loop.close();`);
  expect(out).toBe("true\n");
});

it("lets Node report what whoever takes a packet throws", async () => {
  const { code, err } = await run(`
    const fd = eventfd();
    loopWith(fd, () => { calm(fd); throw new Error("not caught"); });
    wake(fd);`);
  expect(err).toContain("not caught");
  expect(code).toBe(1);
});
