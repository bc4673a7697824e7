import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { eventually } from "../../../test/support/eventually.ts";
import { startReceiver, type RecordReceiver } from "../../../test/support/receiver.ts";
import type { Fact } from "../../journal/fact.ts";
import { openJournal, type JournalWriter, type WriterOptions } from "../../journal/writer.ts";
import type { Name } from "../../resources/keys.ts";
import { createLoop, type Loop } from "../loop.ts";
import { standaloneOptions } from "../options.ts";
import { planAccounting, startAccounting, type Accounting, type AccountingSettings } from "./index.ts";

let folder: string;
let receiver: RecordReceiver;
let journal: JournalWriter;
let loop: Loop;
let accounting: Accounting;
let told: Fact[];
let nextId = 1;

const summary = () => ({
  gateway: "ns/gw" as Name,
  listener: "ns/gw/udp",
  id: nextId++,
  user: "alice",
  client: "192.0.2.1:5000",
  relayed: "192.0.2.2:6000",
});
const traffic = { bytesIn: 10, bytesOut: 20, packetsIn: 1, packetsOut: 2 };
const closed = (data = summary(), report = 1): Fact => ({
  type: "allocation.closed",
  data: { ...data, ...traffic, openedAt: 1000, report, routes: [{ route: "ns/r", ...traffic }], reason: "expired" },
});
const take = (...facts: readonly Fact[]): void =>
  void loop.take(facts.map((fact) => ({ fact, source: "relay", cause: null })));

const open = async (
  settings: Partial<AccountingSettings> = {},
  options: WriterOptions = { fsync: "never" },
): Promise<void> => {
  journal = openJournal(folder, options);
  loop = createLoop(journal, standaloneOptions("127.0.0.1"));
  told = [];
  const plan = await planAccounting(
    { url: receiver.url, format: "webhook", intervalSeconds: 300, ...settings },
    "test",
  );
  const tell = (fact: Fact): void => {
    told.push(fact);
    take(fact);
  };
  accounting = startAccounting({ ...plan, folder, journal, loop, tell, log: pino({ level: "silent" }) });
  for (const fact of accounting.interrupted) take(fact);
  await loop.afterFold();
};
const close = async (limitMs = 10_000): Promise<void> => {
  await loop.afterFold();
  await accounting.close(limitMs);
  await loop.afterFold();
  journal.close();
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "turnpike-accounting-"));
  receiver = await startReceiver();
});
afterEach(async () => {
  await close(0);
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

it("sends records from now on, not of calls before it was enabled", async () => {
  journal = openJournal(folder, { fsync: "never" });
  loop = createLoop(journal, standaloneOptions("127.0.0.1"));
  take(closed());
  await loop.afterFold();
  journal.close();
  await open();
  take(closed());
  await eventually(() => expect(receiver.records).toHaveLength(1));
  expect(receiver.records).toMatchObject([
    {
      kind: "final",
      sequence: 1,
      gateway: "ns/gw",
      listener: "ns/gw/udp",
      user: "alice",
      start: "1970-01-01T00:00:01.000Z",
      reason: "expired",
      routes: [{ route: "ns/r", ...traffic }],
      total: traffic,
    },
  ]);
});

it("counts and reports what the log removes before it was sent, and sends the rest", async () => {
  receiver.answer(500);
  await open({}, { fsync: "never", segmentBytes: 4096, keepSegments: 2 });
  // The first batch is in memory by then.
  take(closed());
  await eventually(() => expect(receiver.requests).not.toEqual([]));
  let made = 1;
  for (; readdirSync(folder).filter((name) => name.endsWith(".jsonl")).length < 3 || made < 60; made += 1) {
    take(closed());
    await loop.afterFold();
  }
  const { lost } = accounting.counts;
  expect(lost).toBeGreaterThan(0);
  expect(accounting.counts.waiting).toBe(made - lost);
  await eventually(() =>
    expect(told).toContainEqual({
      type: "effect.failed",
      data: {
        effect: "account",
        target: new URL(receiver.url).origin,
        reason: expect.stringMatching(
          /^\d+ usage records are lost: the event log removed their segment before the receiver took them$/,
        ) as string,
      },
    }),
  );
  receiver.answer(200);
  await eventually(() => expect(receiver.records).toHaveLength(made - lost));
  await eventually(() => expect(accounting.counts).toMatchObject({ sent: made - lost, waiting: 0, lost }));
  // The cursor is behind them: nothing comes twice, and nothing more is lost.
  await close();
  await open();
  expect(accounting.counts.waiting).toBe(0);
});

it("sends a batch in parts to a receiver that finds it too large", async () => {
  receiver.limit = 3;
  await open();
  take(...Array.from({ length: 10 }, () => closed()));
  await eventually(() => expect(receiver.records).toHaveLength(10));
  await eventually(() => expect(accounting.counts).toMatchObject({ sent: 10, waiting: 0, lost: 0 }));
});

it("reads the token for each request, and sends it", async () => {
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "first\n");
  await open({ tokenFile });
  take(closed());
  await eventually(() => expect(receiver.records).toHaveLength(1));
  writeFileSync(tokenFile, "second\n");
  take(closed());
  await eventually(() => expect(receiver.records).toHaveLength(2));
  expect(receiver.requests.map(({ authorization }) => authorization)).toEqual(["Bearer first", "Bearer second"]);
});

it("does not follow a redirect with its token, says once why it fails, and waits as long as it is asked to", async () => {
  receiver.answer(307, { location: receiver.url });
  await open();
  take(closed());
  await eventually(() => expect(receiver.requests.length).toBeGreaterThan(1));
  const failures = told.filter(({ type }) => type === "effect.failed");
  expect(failures).toMatchObject([{ data: { reason: "307 Temporary Redirect" } }]);
  receiver.answer(429, { "retry-after": "299" }, "slowly");
  const before = receiver.requests.length;
  await eventually(() => expect(receiver.requests.length).toBe(before + 1));
  receiver.answer(200);
  await close(2500);
  expect(receiver.requests.length).toBe(before + 1);
  await open();
  await eventually(() => expect(receiver.records).toHaveLength(1));
});

it("ends calls that a killed process left open, once", async () => {
  await open();
  const [one, two, three] = [summary(), summary(), summary()];
  for (const data of [one, two, three]) take({ type: "allocation.opened", data });
  const routes = [{ route: "ns/r", ...traffic }];
  take({ type: "allocation.used", data: { ...one, ...traffic, openedAt: 5000, report: 1, routes } });
  take({ type: "allocation.moved", data: { ...two, client: "192.0.2.9:1", from: two.client } });
  take(closed(three));
  await close();
  await open();
  expect(accounting.interrupted).toMatchObject([
    { data: { ...one, ...traffic, openedAt: 5000, report: 2, routes: [], reason: "the process has ended" } },
    { data: { ...two, client: "192.0.2.9:1", bytesIn: 0, report: 1, routes: [] } },
  ]);
  take({ type: "operator.started", data: { options: loop.core.options, release: "test" } });
  await close();
  await open();
  expect(accounting.interrupted).toEqual([]);
  expect(receiver.records.map(({ call, sequence }) => [call.split("-").at(-1), sequence])).toEqual([
    [String(one.id), 1],
    [String(three.id), 1],
    [String(one.id), 2],
    [String(two.id), 1],
  ]);
  expect(new Set(receiver.records.map(({ call }) => call)).size).toBe(3);
});

it("sends from now on if its position is damaged, or is of another log", async () => {
  await open();
  await close();
  for (const damaged of ["{", JSON.stringify({ version: 1, log: "l", through: 1e6, intervalSeconds: 1 })]) {
    writeFileSync(join(folder, "accounting.json"), damaged);
    await open();
    take(closed());
    await close();
  }
  expect(receiver.records).toHaveLength(2);
});

it("sends OpenTelemetry logs, and does not repeat what the collector refuses for good", async () => {
  receiver.answer(200, {}, JSON.stringify({ partialSuccess: { rejectedLogRecords: "1", errorMessage: "no" } }));
  await open({ format: "otlp", url: `${receiver.url}/v1/logs` });
  take(closed(), closed());
  await eventually(() => expect(accounting.counts).toMatchObject({ sent: 1, waiting: 0, lost: 1 }));
  expect(receiver.requests).toHaveLength(1);
  const [{ path, body } = {}] = receiver.requests;
  expect(path).toBe("/usage/v1/logs");
  expect(body).toMatchObject({
    resourceLogs: [
      {
        resource: {
          attributes: expect.arrayContaining([{ key: "service.name", value: { stringValue: "turnpike" } }]) as unknown,
        },
        scopeLogs: [
          {
            logRecords: [
              {
                timeUnixNano: expect.stringMatching(/^\d{19}$/) as string,
                severityNumber: 9,
                eventName: "turnpike.usage",
                attributes: expect.arrayContaining([
                  { key: "user.name", value: { stringValue: "alice" } },
                  { key: "turnpike.usage.sequence", value: { intValue: "1" } },
                ]) as unknown,
              },
              {},
            ],
          },
        ],
      },
    ],
  });
});
