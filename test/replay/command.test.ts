/** `turnpike replay` as a command: where things stood, two logs side by side, a log that grows. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Fact, JournalLine } from "../../src/journal/fact.ts";
import { openJournal, type WriterOptions } from "../../src/journal/writer.ts";
import { createLoop } from "../../src/runtime/loop.ts";
import { standaloneOptions } from "../../src/runtime/options.ts";
import { createHistory, gone, seen, synced } from "../support/given.ts";
import { aCall, gateway, route, slice } from "../support/objects.ts";
import { eventually } from "../support/eventually.ts";

const TURNPIKE = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "turnpike-replay-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, lines: readonly JournalLine[]): string => {
  const file = join(folder, name);
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return file;
};

const history = (...facts: readonly Fact[]): readonly JournalLine[] => {
  const { take, lines } = createHistory();
  take(...aCall(), synced);
  for (const fact of facts) take(fact);
  return lines;
};

const replay = (...args: readonly string[]) => spawnSync(TURNPIKE, ["replay", ...args], { encoding: "utf8" });

const terminating = seen("EndpointSlice", slice("media-1", "media", ["!10.0.0.1", "10.0.0.2"]));

describe("turnpike replay", () => {
  it("prints what it compared as JSON, too", () => {
    const log = write("a.jsonl", history());
    expect(JSON.parse(replay(log, "--json").stdout)).toMatchObject({ identical: true, runs: 1 });
    const changed = write("b.jsonl", JSON.parse(JSON.stringify(history()).replace('"to":"active"', '"to":"gone"')));
    const { stdout, status } = replay(changed, "--json");
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ identical: false, divergence: { causes: [{ type: "object.seen" }] } });
  });

  it("refuses options that contradict each other", () => {
    const log = write("a.jsonl", history());
    const { stderr, status } = replay(log, "--until", "3", "--diff", log);
    expect(stderr).toMatch(/--until and --diff do not go together \(usage\)/);
    expect(status).toBe(2);
  });
});

describe("turnpike replay --until", () => {
  it("prints where everything stood behind a line", () => {
    const lines = history(terminating);
    const log = write("a.jsonl", lines);
    const at = lines.findLast((line) => line.type === "objects.synced")!.seq - 1;
    expect(replay(log, "--until", String(at)).stdout).toMatch(/^line \d+ at \S+Z: operator syncing\ngateways +none\n/);

    const { stdout, status } = replay(log, "--until", "9999");
    expect(status).toBe(0);
    expect(stdout).toMatch(/: operator leading\n/);
    expect(stdout).toMatch(/^gateways +1 active\n +ns\/gw +active$/m);
    expect(stdout).toMatch(/^listeners +1 accepted$/m);
    expect(stdout).toMatch(/^routes +1 attached\n +UDPRoute\/ns\/r +attached$/m);
    expect(stdout).toMatch(/^endpoints +1 terminating, 1 active\n +ns\/media#10\.0\.0\.1 +terminating$/m);
    expect(JSON.parse(replay(log, "--until", "9999", "--json").stdout)).toMatchObject({
      seq: lines.length,
      isAmid: false,
      states: { endpoint: { "ns/media#10.0.0.1": "terminating", "ns/media#10.0.0.2": "active" } },
      counts: { endpoint: { terminating: 1, active: 1 } },
    });
  });

  it("says that a line stands amid conclusions that belong together", () => {
    const lines = history();
    const fold = lines.find(({ type }) => type === "fold")!;
    expect(replay(write("a.jsonl", lines), "--until", String(fold.seq + 1)).stdout).toContain("amid conclusions");
  });

  it("says so where a log has begun nothing yet, or has differed before", () => {
    const lines = history();
    const { stderr, status } = replay(write("a.jsonl", lines.slice(1)), "--until", "5");
    expect([status, stderr]).toEqual([1, expect.stringContaining("(nothing-known)")]);
    const changed = write("b.jsonl", JSON.parse(JSON.stringify(lines).replace('"to":"active"', '"to":"gone"')));
    expect(replay(changed, "--until", "9999")).toMatchObject({
      status: 1,
      stdout: expect.stringContaining("differ at"),
    });
  });
});

describe("turnpike replay --diff", () => {
  it("finds the same in two runs of the same history, whatever their clocks and secrets are", () => {
    const lines = history(terminating);
    const other = JSON.stringify(lines)
      .replaceAll("vault:pass", "vault:another")
      .replaceAll(/"parts":\{[^}]*\}/g, '"parts":{}');
    const later = (JSON.parse(other) as JournalLine[]).map((line) => ({ ...line, time: line.time + 60_000 }));
    const a = write("a.jsonl", lines);
    expect(replay(a, "--diff", a)).toMatchObject({ status: 0, stdout: expect.stringMatching(/^the same happened/) });
    // Digests of secrets are in the digests of what was rendered: without those nothing differs but the replay itself.
    expect(replay(a, "--diff", write("b.jsonl", later)).stdout).toMatch(/^b does not replay from line \d+ on\n/);
  });

  it("says where two histories part, what moved otherwise, and what is other in the end", () => {
    const a = write("a.jsonl", history(terminating, gone("UDPRoute", "ns/r")));
    const b = write(
      "b.jsonl",
      history(terminating, seen("UDPRoute", route("r", ["gw"], ["none"])), seen("Gateway", gateway("new"))),
    );
    const { stdout, status } = replay(a, "--diff", b);
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /^they part at\n {2}a: +\d+ {2}\S+ {2}gone UDPRoute\/ns\/r\n {2}b: +\d+ {2}\S+ {2}seen UDPRoute\/ns\/r\n/,
    );
    expect(stdout).toMatch(/^moved otherwise\n/m);
    expect(stdout).toMatch(/^ {2}route UDPRoute\/ns\/r\n {4}a: .*attached → gone\n {4}b: .*attached → degraded$/m);
    expect(stdout).toMatch(/^other in the end\n {2}config ns\/gw\n {4}a: .*\n {4}b: .*clusters\[ns\/r\]=/m);
    expect(stdout).toMatch(/^ {2}gateway ns\/new\n {4}a: \(absent\)\n {4}b: active$/m);
    expect(stdout).toMatch(/^ {2}object Gateway\/ns\/new\n {4}a: \(absent\)\n {4}b: there$/m);
    const json = JSON.parse(replay(a, "--diff", b, "--json").stdout) as { end: readonly { what: string }[] };
    expect(json.end.map(({ what }) => what)).toContain("status UDPRoute/ns/r");
  });
});

describe("turnpike replay --watch", () => {
  const live = (options: WriterOptions = {}) => {
    const journal = openJournal(join(folder, "log"), options);
    const loop = createLoop(journal, standaloneOptions("127.0.0.1"));
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => resolve()));
    return {
      journal,
      async take(...facts: readonly Fact[]) {
        loop.take(facts.map((fact) => ({ fact, source: "test", cause: null })));
        await turn();
      },
      started: { type: "operator.started", data: { options: loop.core.options, release: "test" } } as const,
    };
  };

  const watch = () => {
    const child = spawn(TURNPIKE, ["replay", join(folder, "log"), "--watch"], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (data: Buffer) => (output += data.toString()));
    const ended = once(child, "exit");
    const prints = (text: RegExp): Promise<void> => eventually(() => expect(output).toMatch(text));
    return { child, ended, prints, output: () => output };
  };

  it("prints facts with their transitions as they come, over segments and a restart, until it is interrupted", async () => {
    const { journal, take, started } = live({ segmentBytes: 2000 });
    await take(started, ...aCall(), synced);
    const { child, ended, prints } = watch();
    await prints(/^replayed \d+ facts, \d+ transitions: identical; following$/m);
    await take(terminating);
    await prints(
      /^ +\d+ {2}\S+Z {2}seen EndpointSlice\/ns\/media-1\n +endpoint ns\/media#10\.0\.0\.1: active → terminating .*← \d+$/m,
    );
    for (let n = 3; n < 40; n += 1) await take(seen("EndpointSlice", slice("media-1", "media", [`10.0.0.${n}`])));
    await prints(/endpoint ns\/media#10\.0\.0\.39: → active/);
    journal.close();
    const next = live();
    await next.take(next.started);
    await prints(/turnpike test started in standalone mode/);
    next.journal.close();
    child.kill("SIGINT");
    expect(await ended).toEqual([0, null]);
  });

  it("ends with 1 at the first line that differs", async () => {
    const { journal, take, started } = live();
    await take(started, ...aCall(), synced);
    const { ended, prints, output } = watch();
    await prints(/following/);
    const data = { machine: "endpoint", entity: "ns/media#10.0.0.1", from: "active", event: "x", to: "gone" } as const;
    journal.derive({ type: "transition", data }, journal.lastSeq, 0);
    journal.close();
    expect(await ended).toEqual([1, null]);
    expect(output()).toMatch(/they differ at line \d+\n {2}recorded: endpoint .*\n {2}replayed: nothing/);
  });
});

it("has the help that the documentation promises", () => {
  const { stdout } = replay("--help");
  for (const option of ["--from-snapshot", "--until", "--diff", "--watch", "--json"]) {
    expect(stdout).toContain(option);
    expect(readFileSync(new URL("../../docs/guides/replay.md", import.meta.url), "utf8")).toContain(option);
  }
});
