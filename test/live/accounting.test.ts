/** Usage records: what a receiver adds up is what clients have sent and received, whatever was killed or down meanwhile. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import { readJournal } from "../../src/journal/reader.ts";
import type { UsageRecord } from "../../src/runtime/accounting/record.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { launch, type Running } from "../support/commands.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { manifestsOf, startEchoBackend, type EchoBackend } from "../support/live.ts";
import { startReceiver, type RecordReceiver } from "../support/receiver.ts";

let root: string;
let port: number;
let adminPort: number;
let receiver: RecordReceiver;
let echo: EchoBackend;
let other: EchoBackend;
let running: Running | undefined;
let clients: TurnClient[];
/** Bytes of application data each way, by route. */
let expected: Record<string, number>;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "turnpike-accounting-"));
  [port, adminPort] = [await freePort("127.0.0.1"), await freePort("127.0.0.1")];
  receiver = await startReceiver();
  echo = await startEchoBackend();
  other = await startEchoBackend("127.0.0.2");
  clients = [];
  expected = { "default/echo": 0, "default/other": 0 };
  const manifests = manifestsOf({ port, otherBackends: [{ address: "127.0.0.2" }] });
  writeFileSync(join(root, "manifests.yaml"), manifests);
});
afterEach(async () => {
  for (const client of clients) client.close();
  await running?.stop("SIGKILL");
  await Promise.all([receiver.close(), echo.close(), other.close()]);
  rmSync(root, { recursive: true, force: true });
});

const journal = (): string => join(root, "log");
const start = async (...more: readonly string[]): Promise<void> => {
  running = launch(
    // prettier-ignore
    ["standalone", root, "--journal", journal(), "--admin", `127.0.0.1:${adminPort}`,
      "--accounting-url", receiver.url, "--accounting-interval", "1", ...more],
    { cwd: root },
  );
  await running.printed(/Stop it:/);
};
const metric = async (name: string): Promise<number> => {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  return Number(new RegExp(`^turnpike_accounting_${name} (.*)$`, "m").exec(text)?.[1]);
};

/** A call with an exchange of `packets` with each backend. */
const call = async (packets: number, protocol: "udp" | "tcp" = "udp"): Promise<TurnClient> => {
  const client = await TurnClient.connect({
    host: "127.0.0.1",
    port,
    transport: protocol,
    username: "user-1",
    password: "pass-1",
  });
  clients.push(client);
  await client.allocate();
  await client.channelBind(0x4001, echo);
  await client.channelBind(0x4002, other);
  for (const [channel, route] of [
    [0x4001, "default/echo"],
    [0x4002, "default/other"],
  ] as const)
    for (let count = 0; count < packets; count += 1) {
      const bytes = 100 + count;
      client.sendChannel(channel, Buffer.alloc(bytes));
      await client.receive();
      expected[route] = (expected[route] ?? 0) + bytes;
    }
  return client;
};

const sums = (records: readonly Pick<UsageRecord, "routes">[], way: "bytesIn" | "bytesOut") => {
  const totals: Record<string, number> = { "default/echo": 0, "default/other": 0 };
  for (const usage of records.flatMap(({ routes }) => routes))
    totals[usage.route] = (totals[usage.route] ?? 0) + usage[way];
  return totals;
};

/** Waits until reports in the log contain all that was relayed. */
const isLogged = (): Promise<void> =>
  eventually(() => {
    const reports = [...readJournal(journal())].flatMap((line) =>
      line.type === "allocation.used" || line.type === "allocation.closed" ? [{ routes: line.data.routes ?? [] }] : [],
    );
    expect(sums(reports, "bytesIn")).toEqual(expected);
  });

const isComplete = (calls: number): Promise<void> =>
  eventually(() => {
    expect(receiver.records.filter(({ kind }) => kind === "final")).toHaveLength(calls);
    expect(sums(receiver.records, "bytesIn")).toEqual(expected);
    expect(sums(receiver.records, "bytesOut")).toEqual(expected);
    const byCall = Map.groupBy(receiver.records, (record) => record.call);
    expect(byCall.size).toBe(calls);
    for (const records of byCall.values()) {
      const ordered = records.toSorted((one, another) => one.sequence - another.sequence);
      expect(ordered.map(({ sequence }) => sequence)).toEqual(ordered.map((_, index) => index + 1));
      expect(ordered.map(({ kind }) => kind === "final")).toEqual(
        ordered.map((_, index) => index === ordered.length - 1),
      );
      const total = ordered.at(-1)?.total.bytesIn;
      expect(Object.values(sums(ordered, "bytesIn")).reduce((sum, bytes) => sum + bytes)).toBe(total);
    }
  });

describe.each([
  ["one thread", []],
  ["two workers", ["--workers", "2"]],
] as const)("usage records of a relay of %s", (_, more) => {
  it("add up to what clients have sent, though the relay is killed with calls open and the receiver is down", async () => {
    receiver.answer(503);
    await start(...more);
    await call(5);
    await call(7, "tcp");
    await isLogged();
    await running?.stop("SIGKILL");

    // Once more, with nobody to take the records: they must not be made twice.
    await start(...more);
    await call(3);
    await isLogged();
    await eventually(async () => expect(await metric("records_waiting")).toBeGreaterThan(4));
    expect(await metric("records_sent_total")).toBe(0);
    expect(await metric("lag_seconds")).toBeGreaterThan(0);
    await running?.stop("SIGKILL");

    await start(...more);
    const last = await call(2);
    receiver.answer(200);
    await last.refresh(0);
    await isComplete(4);
    expect(receiver.records.flatMap(({ reason }) => reason ?? []).toSorted()).toEqual([
      "client asked",
      "the process has ended",
      "the process has ended",
      "the process has ended",
    ]);
    await eventually(async () => expect(await metric("records_waiting")).toBe(0));
    expect(await metric("records_lost_total")).toBe(0);
    expect(await metric("lag_seconds")).toBe(0);
    expect(receiver.taken).toBe(receiver.records.length);
    await running?.stop("SIGTERM");
    // What ends the calls of a killed process stands before the start of the next.
    expect(replay(readJournal(journal()), digest)).toMatchObject({ divergence: undefined, runs: 3 });
  });
});

it("sends again, with the same ids, what was taken and not acknowledged", async () => {
  receiver.answer(undefined);
  await start();
  await (await call(4)).refresh(0);
  await eventually(() => expect(receiver.requests.length).toBeGreaterThan(1));
  receiver.answer(204);
  await isComplete(1);
  expect(receiver.taken).toBeGreaterThan(receiver.records.length);
});

it("sends the last records of calls that end with the process before it ends", async () => {
  await start("--accounting-interval", "600");
  await call(4);
  expect(await running?.stop("SIGTERM")).toBe(0);
  await isComplete(1);
  expect(receiver.records).toMatchObject([{ kind: "final", reason: "gateway removed" }]);
});
