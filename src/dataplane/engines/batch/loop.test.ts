import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
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
      const loop = new Loop(sys, ready, () => turns++);
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

it("makes a turn for what arrives, and sleeps while nothing does", async () => {
  const { out } = await run(`
    const fd = eventfd();
    let taken = 0;
    const loop = loopWith(fd, () => { calm(fd); taken++; });
    setTimeout(() => {
      const before = turns;
      setTimeout(() => {
        // A timer is worth a few turns; without sleep there would be thousands.
        console.log("idle", taken, turns - before < 10);
        wake(fd);
        const look = () => {
          if (taken === 0) return setImmediate(look);
          console.log("woken", taken);
          loop.close();
        };
        look();
      }, 100);
    }, 100);`);
  expect(out).toBe("idle 0 true\nwoken 1\n");
});

it("lets everything else of the process go on, however many packets arrive", async () => {
  const { out, code } = await run(`
    import { connect, createServer } from "node:net";
    import { once } from "node:events";
    const fd = eventfd();
    wake(fd);
    let promises = 0;
    // It is never calmed: there is always something to read.
    const loop = loopWith(fd, () => void Promise.resolve().then(() => promises++));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await new Promise((resolve) => setImmediate(resolve));
    const server = createServer((socket) => socket.end("hello")).listen(0, "127.0.0.1");
    await once(server, "listening");
    const socket = connect(server.address().port, "127.0.0.1");
    const [data] = await once(socket, "data");
    server.close();
    await readFile("/proc/self/status");
    console.log(String(data), turns > 100, promises > 100);
    loop.close();`);
  expect(out).toBe("hello true true\n");
  expect(code).toBe(0);
});

it("runs promises at the end of each turn", async () => {
  const { out } = await run(`
    const fd = eventfd();
    wake(fd);
    let open = 0;
    let most = 0;
    const loop = loopWith(fd, () => {
      most = Math.max(most, ++open);
      void Promise.resolve().then(() => open--);
    });
    setTimeout(() => { console.log(most); loop.close(); }, 50);`);
  expect(out).toBe("1\n");
});

/** A thread that does `work` 100 ms after `begin()`: nothing else wakes the main thread meanwhile. */
const thread = (work: string): string => `
  import { Worker } from "node:worker_threads";
  import { mkdtempSync, rmSync, watch } from "node:fs";
  const folder = mkdtempSync("/tmp/turnpike-loop-");
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const begin = () => { Atomics.store(flag, 0, 1); Atomics.notify(flag, 0); };
  const other = (fd) => new Worker(\`
    const { workerData: { flag, fd, folder } } = require("node:worker_threads");
    const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    const write = require(${JSON.stringify(createRequire(import.meta.url).resolve("koffi"))}).load(null)
      .func("long write(int fd, const void *buffer, size_t count)");
    const wake = () => write(fd, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), 8);
    Atomics.wait(flag, 0, 0);
    pause(100);
    ${work}\`, { eval: true, execArgv: [], workerData: { flag, fd, folder } });
  const end = (said) => { console.log(said); rmSync(folder, { recursive: true }); process.exit(); };
  /** libuv starts to watch it when it waits next. */
  const watches = () => { watch(folder, () => end("a file")); begin(); };`;

it("sees what libuv starts to watch after a sleep", async () => {
  const { out } = await run(`${thread(`require("node:fs").writeFileSync(folder + "/file", ""); pause(10000);`)}
    const fd = eventfd();
    loopWith(fd, () => { calm(fd); setImmediate(watches); });
    other(fd).on("online", () => setTimeout(() => wake(fd), 100));
    setTimeout(() => end("slept on"), 5000);`);
  expect(out).toBe("a file\n");
});

it("sees packets after libuv starts to watch something else", async () => {
  const { out } = await run(`${thread("wake(); pause(10000);")}
    const fd = eventfd();
    let taken = 0;
    loopWith(fd, () => { calm(fd); if (taken++ > 0) end("a packet"); else setImmediate(watches); });
    other(fd).on("online", () => setTimeout(() => wake(fd), 100));
    setTimeout(() => end("slept on"), 5000);`);
  expect(out).toBe("a packet\n");
});

it("keeps the time of timers between packets", async () => {
  const { out } = await run(`${thread("for (;;) { wake(); pause(20); }")}
    const fd = eventfd();
    let taken = 0;
    loopWith(fd, () => { calm(fd); if (taken++ === 300) end("late"); });
    other(fd).on("online", () => setTimeout(begin, 100));
    const look = () => taken > 0 ? setTimeout(() => end("in time"), 200) : setTimeout(look, 10);
    look();`);
  expect(out).toBe("in time\n");
});

it("serves all engines of a process, whichever waits", async () => {
  const { out } = await run(`
    const fds = [eventfd(), eventfd(), eventfd()];
    const taken = [];
    const all = fds.map((fd, index) => loopWith(fd, () => { calm(fd); taken.push(index); }));
    const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    for (const fd of fds) { await after(20); wake(fd); }
    await after(20);
    all[1].close();
    wake(fds[1]);
    wake(fds[2]);
    await after(20);
    console.log(taken.join());
    for (const loop of all) loop.close();`);
  expect(out).toBe("0,1,2,2\n");
});

it("looks for packets without sleep for a given time after the last one", async () => {
  const cpuMsWith = async (busyPollMs: number): Promise<number> => {
    const { out } = await run(`
      const fd = eventfd();
      const loop = new Loop(sys, calm, () => turns++, { busyPollMs: ${busyPollMs} });
      loop.watch(fd);
      const cpuMs = () => process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000;
      setTimeout(() => {
        const before = cpuMs();
        wake(fd);
        setTimeout(() => { console.log(cpuMs() - before); loop.close(); }, 300);
      }, 50);`);
    return Number(out);
  };
  const [awake, asleep] = [await cpuMsWith(250), await cpuMsWith(0)];
  expect(awake).toBeGreaterThan(asleep * 2);
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
