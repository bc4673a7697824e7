import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import type { Subscription } from "rxjs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startFakeApi, type FakeApi, type Made } from "../../../test/support/fake-api.ts";
import { createRecovery } from "./recovery.ts";
import { listWatch, type Listed, type ListWatchEvent, type ListWatchOptions } from "./list-watch.ts";
import { eventually, throughout } from "../../../test/support/eventually.ts";

const PATH = "/api/v1/services";

let server: FakeApi;
let subscriptions: Subscription[] = [];

beforeEach(async () => {
  server = await startFakeApi();
  server.serve(PATH);
});
afterEach(async () => {
  for (const subscription of subscriptions) subscription.unsubscribe();
  subscriptions = [];
  await server.stop();
});

const service = (name: string, text = ""): Made => ({ metadata: { name, namespace: "ns" }, text });

const nameIn = ({ metadata: { namespace, name } }: Listed): string => `${namespace}/${name}`;

/** An event in words: `seen ns/a`, `gone ns/a`, `listed`, … */
const word = (event: ListWatchEvent): string =>
  "object" in event ? `${event.event} ${nameIn(event.object)}` : event.event;

const follow = (options: Partial<ListWatchOptions> = {}, of: FakeApi = server) => {
  const words: string[] = [];
  /** What exists, as far as the events tell. */
  const told = new Map<string, string>();
  const subscription = listWatch(of.api, {
    path: PATH,
    firstPauseMs: 2,
    longestPauseMs: 10,
    absentPauseMs: 5,
    ...options,
  }).subscribe((events) => {
    for (const event of events) {
      words.push(word(event));
      if (event.event === "seen")
        told.set(nameIn(event.object), (event.object as unknown as { readonly text: string }).text);
      if (event.event === "gone") told.delete(nameIn(event.object));
    }
  });
  subscriptions.push(subscription);
  return {
    words,
    told,
    subscription,
    until: (...expected: readonly string[]) => eventually(() => expect(words).toEqual(expected)),
    /** A watch is open, and none is on its way. */
    watching: () => eventually(() => expect([of.watches, words.includes("listed")]).toEqual([1, true])),
  };
};

const lists = () => server.asked.filter(({ query }) => query["watch"] === undefined);
const watches = () => server.asked.filter(({ query }) => query["watch"] === "true");

describe("a list", () => {
  it("is read page by page and told as one", async () => {
    for (let index = 0; index < 7; index += 1) server.put(PATH, service(`s${index}`));
    const { until, watching } = follow({ pageSize: 3 });
    await until(...[0, 1, 2, 3, 4, 5, 6].map((index) => `seen ns/s${index}`), "listed");
    await watching();
    expect(lists().map(({ query }) => query["limit"])).toEqual(["3", "3", "3"]);
    expect(watches()[0]?.query).toMatchObject({
      resourceVersion: String(server.version),
      allowWatchBookmarks: "true",
    });
  });

  it("begins anew when its next page has expired", async () => {
    for (const name of ["a", "b", "c"]) server.put(PATH, service(name));
    server.answer({ of: ({ query }) => query["continue"] !== undefined, status: 410 });
    const { until } = follow({ pageSize: 2 });
    await until("seen ns/a", "seen ns/b", "seen ns/c", "listed");
    expect(lists()).toHaveLength(4);
  });

  it("reports a failure at once, and its end", async () => {
    server.answer({ status: 500, times: 3 });
    server.put(PATH, service("a"));
    const { until } = follow();
    await until("lost", "restored", "seen ns/a", "listed");
    expect(server.watches).toBeLessThanOrEqual(1);
  });

  it("that is no JSON, breaks off or stalls is asked for again", async () => {
    server.put(PATH, service("a"));
    server.answer({ status: 200, body: '{"items": [' });
    server.answer({ instead: "connection" });
    const { until } = follow();
    await until("lost", "restored", "seen ns/a", "listed");
    expect(server.watches).toBeLessThanOrEqual(1);
  });

  it("that the server takes its time for is waited for", async () => {
    server.put(PATH, service("a"));
    server.answer({ delayMs: 100, of: ({ query }) => query["watch"] === undefined });
    const { until } = follow({ livenessMs: 50 });
    await until("seen ns/a", "listed");
    expect(server.watches).toBeLessThanOrEqual(1);
  });
});

describe("a watch", () => {
  it("reports changes", async () => {
    const { until, watching } = follow();
    await watching();
    server.put(PATH, service("a"));
    server.put(PATH, service("a", "changed"));
    server.delete(PATH, "ns/a");
    await until("listed", "seen ns/a", "seen ns/a", "gone ns/a");
    expect(server.watches).toBeLessThanOrEqual(1);
  });

  it.each(["cut", "end"] as const)("resumes after a %s from the last change, silently", async (how) => {
    server.put(PATH, service("a"));
    const { until, watching } = follow();
    await watching();
    server.put(PATH, service("b"));
    await until("seen ns/a", "listed", "seen ns/b");
    const last = server.version;
    server[how]();
    server.put(PATH, service("c"));
    server.delete(PATH, "ns/a");
    await eventually(() => expect(watches().length).toBeGreaterThan(1));
    await until("seen ns/a", "listed", "seen ns/b", "seen ns/c", "gone ns/a");
    expect(Number(watches()[1]?.query["resourceVersion"])).toBeGreaterThanOrEqual(last);
    expect(lists()).toHaveLength(1);
  });

  it("resumes from a bookmark", async () => {
    const { until, watching } = follow();
    await watching();
    server.serve("/api/v1/pods");
    server.put("/api/v1/pods", service("elsewhere"));
    server.bookmark();
    const bookmarked = server.version;
    server.put("/api/v1/pods", service("elsewhere", "again"));
    server.end();
    await eventually(() => expect(watches()).toHaveLength(2));
    expect(watches()[1]?.query["resourceVersion"]).toBe(String(bookmarked));
    await until("listed");
  });

  it.each(["status", "event"] as const)(
    "that cannot resume (410 as %s) lists, and tells the difference",
    async (as) => {
      for (const name of ["same", "changed", "vanished"]) server.put(PATH, service(name));
      const { words, watching } = follow();
      await watching();
      words.length = 0;
      server.mute(true);
      server.put(PATH, service("changed", "now"));
      server.delete(PATH, "ns/vanished");
      server.put(PATH, service("new"));
      server.compact(as);
      server.mute(false);
      server.cut();
      await eventually(() => expect(words).toEqual(["gone ns/vanished", "seen ns/changed", "seen ns/new", "listed"]));
    },
  );

  it("reports a lost watch once, with the second failure in a row", async () => {
    const { words, watching } = follow();
    await watching();
    server.answer({ status: 500, times: 1 });
    server.end();
    await eventually(() => expect(watches()).toHaveLength(3));
    await watching();
    expect(words).toEqual(["listed"]);

    server.answer({ status: 500, times: 5 });
    server.cut();
    await eventually(() => expect(words).toEqual(["listed", "lost", "restored"]));
    expect(lists()).toHaveLength(1);
  });

  it("that is silent for too long is treated as lost", async () => {
    const { until, watching } = follow({ livenessMs: 60 });
    await watching();
    server.mute(true);
    server.put(PATH, service("a"));
    server.mute(false);
    await until("listed", "seen ns/a");
    expect(watches().filter(({ isOpen }) => isOpen)).toHaveLength(1);
  });

  it("that is not even begun is taken for dead", async () => {
    server.answer({ of: ({ query }) => query["watch"] === "true", instead: "silence" });
    const { until, watching } = follow({ livenessMs: 60 });
    await watching();
    server.put(PATH, service("a"));
    await until("listed", "seen ns/a");
    expect(server.watches).toBeLessThanOrEqual(1);
  });

  it("lives by its bookmarks", async () => {
    const { watching, words } = follow({ livenessMs: 500 });
    await watching();
    await throughout(1200, () => server.bookmark(), 20);
    expect(watches()).toHaveLength(1);
    expect(words).toEqual(["listed"]);
  });

  it("survives a line that is not JSON, and nothing is missed", async () => {
    const { until, watching } = follow();
    await watching();
    server.write("{not json\n");
    server.put(PATH, service("a"));
    await until("listed", "seen ns/a");
    expect(server.watches).toBeLessThanOrEqual(1);
  });

  it("takes a line in pieces, and several at once", async () => {
    const { until, watching } = follow();
    await watching();
    const line = (name: string): string => `${JSON.stringify({ type: "ADDED", object: service(name) })}\n`;
    const bytes = Buffer.from(line("größe") + line("b") + line("c"));
    for (const cut of [...bytes.keys()].slice(0, line("größe").length + 5)) {
      server.write(bytes.subarray(cut, cut + 1));
      await turn();
    }
    server.write(bytes.subarray(line("größe").length + 5));
    await until("listed", "seen ns/größe", "seen ns/b", "seen ns/c");
    expect(server.watches).toBeLessThanOrEqual(1);
  });

  it.each(["ends", "fails", "expires"])("that always %s at once is not asked for without a pause", async (how) => {
    const { words } = follow({ firstPauseMs: 20, longestPauseMs: 1000 });
    const of = ({ query }: { readonly query: Readonly<Record<string, string>> }) => query["watch"] === "true";
    const body = { ends: "", fails: "{not json\n", expires: "" }[how] ?? "";
    server.answer({ of, times: Number.POSITIVE_INFINITY, status: how === "expires" ? 410 : 200, body });
    await eventually(() => expect(watches().length).toBeGreaterThan(2));
    await throughout(300, () => expect(watches().length).toBeLessThan(12));
    expect(words).not.toContain("lost");
  });
});

describe("a kind", () => {
  it("that goes takes its objects with it, and is picked up when it comes back", async () => {
    server.put(PATH, service("a"));
    server.put(PATH, service("b"));
    const { words, watching } = follow();
    await watching();
    server.withdraw(PATH);
    await eventually(() =>
      expect(words.slice(0, 6)).toEqual(["seen ns/a", "seen ns/b", "listed", "gone ns/a", "gone ns/b", "absent"]),
    );
    server.serve(PATH);
    server.put(PATH, service("c"));
    await eventually(() => expect(words.filter((one) => one !== "absent").slice(-2)).toContain("seen ns/c"));
    expect(words).not.toContain("lost");
  });

  it("that never was is absent, and asked for from time to time", async () => {
    server.withdraw(PATH);
    const { words } = follow();
    await eventually(() => expect(lists().length).toBeGreaterThan(2));
    expect(words).toEqual(["absent"]);
  });
});

describe("a server", () => {
  it("that answers one watch again is asked at once for all the others, however long they meant to pause", async () => {
    let isDown = true;
    server.answer({ of: () => isDown, status: 401, times: Infinity });
    server.put(PATH, service("a"));
    const recovery = createRecovery();
    const patient = follow({ firstPauseMs: 1_000_000, longestPauseMs: 1_000_000, recovery });
    await patient.until("lost");
    const eager = follow({ firstPauseMs: 20, longestPauseMs: 20, recovery });
    await eager.until("lost");
    isDown = false;
    await eager.until("lost", "restored", "seen ns/a", "listed");
    await patient.until("lost", "restored", "seen ns/a", "listed");
    expect(patient.told).toEqual(eager.told);
  });

  it("that asks for patience gets it", async () => {
    server.answer({ status: 429, headers: { "retry-after": "1" } });
    server.put(PATH, service("a"));
    const { until } = follow({ longestPauseMs: 5000 });
    await until("lost", "restored", "seen ns/a", "listed");
    const [first, second] = lists();
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(990);
  });

  it("that asks for too much is asked again after the longest pause", async () => {
    server.answer({ status: 429, headers: { "retry-after": "3600" } });
    const { until } = follow({ longestPauseMs: 50 });
    await until("lost", "restored", "listed");
    expect(server.watches).toBeLessThanOrEqual(1);
  });

  it.each([
    ["a list", { instead: "silence" } as const],
    ["half a list", { instead: "stall" } as const],
    ["a pause", { status: 429, headers: { "retry-after": "9" } } as const],
    ["an absent kind", { status: 404 } as const],
  ])("is left alone as soon as nobody listens, in the middle of %s", async (_, script) => {
    server.answer(script);
    const { subscription, words } = follow({ longestPauseMs: 9000, absentPauseMs: 9000 });
    await eventually(() => expect(server.asked).toHaveLength(1));
    if ("status" in script) await eventually(() => expect(words).toHaveLength(1));
    subscription.unsubscribe();
    await eventually(() => expect(server.asked.filter(({ isOpen }) => isOpen)).toEqual([]));
    expect(server.asked).toHaveLength(1);
  });

  it("is left alone as soon as nobody listens, in the middle of a watch", async () => {
    const { subscription, watching, words } = follow();
    await watching();
    subscription.unsubscribe();
    await eventually(() => expect(server.watches).toBe(0));
    server.put(PATH, service("a"));
    expect(server.asked).toHaveLength(2);
    expect(words).toEqual(["listed"]);
  });
});

describe("whatever happens", () => {
  const name = fc.constantFrom("a", "b", "c", "d");
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("put" as const), name, text: fc.string({ maxLength: 3 }) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("delete" as const), name }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), turns: fc.nat(40) }) },
    fc.record({ do: fc.constantFrom("cut" as const, "end" as const, "bookmark" as const, "garbage" as const) }),
    fc.record({ do: fc.constant("compact" as const), as: fc.constantFrom("status" as const, "event" as const) }),
    fc.record({
      do: fc.constant("fail" as const),
      times: fc.integer({ min: 1, max: 3 }),
      how: fc.constantFrom(
        { status: 500 },
        { status: 410 },
        { status: 429, headers: { "retry-after": "0" } },
        { instead: "connection" as const },
        { status: 200, body: "{" },
      ),
    }),
    fc.record({ do: fc.constant("withdraw" as const) }),
  );

  it("exactly the server's objects are reported in the end", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const own = await startFakeApi();
        own.serve(PATH);
        const { told, words, subscription } = follow({ pageSize: 2 }, own);
        try {
          for (const one of steps) {
            if (one.do === "put") own.put(PATH, service(one.name, one.text));
            else if (one.do === "delete") own.delete(PATH, `ns/${one.name}`);
            else if (one.do === "compact") own.compact(one.as);
            else if (one.do === "garbage") own.write("{not json\n");
            else if (one.do === "fail") own.answer({ ...one.how, times: one.times });
            else if (one.do === "wait") for (let turns = 0; turns < one.turns; turns += 1) await turn();
            else if (one.do === "withdraw") {
              own.withdraw(PATH);
              for (let turns = 0; turns < 10; turns += 1) await turn();
              own.serve(PATH);
            } else own[one.do]();
          }
          const present = new Map(own.objects(PATH).map((made) => [`ns/${made.metadata.name}`, made["text"]]));
          const sorted = (map: ReadonlyMap<string, unknown>) => [...map].toSorted();
          await eventually(() => expect(sorted(told)).toEqual(sorted(present)));
          await eventually(() => expect(own.watches).toBe(1));
          // Nothing is reported lost twice, or removed that did not exist.
          const signs = words.filter((one) => one === "lost" || one === "restored");
          expect(signs).toEqual(signs.map((_, index) => (index % 2 === 0 ? "lost" : "restored")));
          expect(signs.length % 2).toBe(0);
          const there = new Set<string>();
          for (const one of words) {
            if (one.startsWith("seen ")) there.add(one.slice(5));
            if (one.startsWith("gone ")) expect(there.delete(one.slice(5)), one).toBe(true);
          }
        } finally {
          subscription.unsubscribe();
          await own.stop();
        }
      }),
      { numRuns: 60 },
    );
  });
});
