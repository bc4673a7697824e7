import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base, changesWithCertificates as changes, names } from "../../test/support/changes.ts";
import { createHistory as createLived, given, gone, seen, synced } from "../../test/support/given.ts";
import { aCall, slice } from "../../test/support/objects.ts";
import type { CoreSnapshot } from "../core/core.ts";
import { replay } from "../core/replay.ts";
import { digest } from "../journal/digest.ts";
import type { Fact, JournalLine } from "../journal/fact.ts";
import type { Name } from "../resources/keys.ts";
import { createHistory, type HistoryOptions } from "./history.ts";

const historyOf = (lines: readonly JournalLine[], options?: HistoryOptions) => {
  const history = createHistory(options);
  for (const line of lines) history.append(line);
  return history;
};

/** What a history does not know: the times of conditions. And the order in which instances came to be is no matter. */
const comparable = ({ registry, ...rest }: CoreSnapshot): unknown => ({
  ...rest,
  statuses: [],
  registry: Object.entries(registry).map(([machine, states]) => [machine, states.toSorted()]),
});

describe("a moment", () => {
  it.each(["all", "latest"] as const)("is what the core knew then (versions: %s)", (versions) => {
    fc.assert(
      fc.property(changes, (facts) => {
        const lived = createLived();
        const history = createHistory({ versions });
        let written = 0;
        const moments: { readonly position: number; readonly expected: unknown }[] = [];
        const worldNow = () => ({
          snapshot: comparable(lived.core.export()),
          rendered: names.map((name) => lived.core.rendered(`ns/${name}` as Name)),
        });
        const worldAt = (position: number) => {
          const moment = history.moment(position)!;
          return {
            snapshot: comparable(moment.snapshot()),
            rendered: names.map((name) => moment.rendered(`ns/${name}` as Name)),
          };
        };
        for (const step of [base, ...facts.map((fact) => [fact])]) {
          lived.take(...step);
          for (const line of lived.lines.slice(written)) history.append(line);
          written = lived.lines.length;
          moments.push({ position: written - 1, expected: worldNow() });
          expect(worldAt(written - 1)).toEqual(worldNow());
        }
        if (versions === "latest") return;
        for (const { position, expected } of moments) expect(worldAt(position)).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  it("is one that replay can begin from", () => {
    fc.assert(
      fc.property(changes, changes, (before, after) => {
        const lived = createLived();
        lived.take(...base, ...before);
        const at = lived.lines.length;
        const seq = lived.lines.at(-1)!.seq;
        for (const fact of after) lived.take(fact);
        const snapshot: JournalLine = {
          v: 1,
          seq,
          time: 0,
          source: "core",
          cause: null,
          type: "snapshot",
          data: historyOf(lived.lines.slice(0, at))
            .moment(at - 1)!
            .snapshot(),
        };
        const lines = JSON.parse(JSON.stringify([snapshot, ...lived.lines.slice(at)])) as JournalLine[];
        expect(replay(lines, digest).divergence).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });

  const endpoint = "ns/media#10.1.0.5";
  const lines = (): readonly JournalLine[] => {
    const { history } = given(...aCall(), synced);
    history.take(seen("EndpointSlice", slice("media-1", "media", ["!10.1.0.5"])));
    history.take(gone("EndpointSlice", "ns/media-1"));
    return history.lines;
  };

  it("knows where each instance is, which line moved it last, and that one that is gone was there", () => {
    const history = historyOf(lines());
    const [born, drains, ends] = history.movesOf("endpoint", endpoint).map((at) => history.moment(at)!);
    expect(born!.state("endpoint", endpoint)).toBe("active");
    expect(drains!.endpointsOf("ns/media")).toEqual([[endpoint, "terminating"]]);
    expect(ends!.state("endpoint", endpoint)).toBeUndefined();
    expect(ends!.endpointsOf("ns/media")).toEqual([]);
    expect(ends!.move("endpoint", endpoint)).toMatchObject({ seq: ends!.seq, data: { to: "gone" } });
  });

  it("forgets what an earlier run knew", () => {
    const first = lines();
    const restart = { ...first[0]!, seq: first.at(-1)!.seq + 1 };
    const history = historyOf([...first, restart]);
    const [last, now] = [history.moment(first.length - 1)!, history.moment(first.length)!];
    expect(last.names("Gateway")).toEqual(["ns/gw"]);
    expect([now.names("Gateway"), now.entities("gateway"), now.move("endpoint", endpoint)]).toEqual([
      [],
      [],
      undefined,
    ]);
  });

  it("begins anew at a snapshot behind lines that were lost", () => {
    const lived = given(...aCall(), synced).history;
    const data = JSON.parse(JSON.stringify(lived.core.export())) as CoreSnapshot;
    const snapshot = { v: 1, seq: 900, time: 1, source: "core", cause: null, type: "snapshot", data } as const;
    const history = historyOf([...lived.lines, snapshot]);
    const moment = history.moment(history.length - 1)!;
    expect(comparable(moment.snapshot())).toEqual(comparable(data));
    expect(moment.move("gateway", "ns/gw")).toBeUndefined();
  });

  it("has the open allocations and the refusals of its run", () => {
    const lived = given(...aCall(), synced).history;
    const summary = {
      gateway: "ns/gw" as Name,
      listener: "udp",
      user: "u",
      client: "192.0.2.1:9",
      relayed: "10.0.0.9:1",
    };
    const counts = { reason: "expired", bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 };
    const facts: readonly Fact[] = [
      { type: "allocation.opened", data: { ...summary, id: 1 } },
      { type: "allocation.opened", data: { ...summary, id: 2 } },
      { type: "peer.refused", data: { ...summary, peer: "10.9.9.9", reason: "no route", suppressed: 0 } },
      { type: "allocation.closed", data: { ...summary, ...counts, id: 1 } },
    ];
    lived.take(...facts);
    const history = historyOf(lived.lines);
    const open = [1, 2, 3, 4].map((back) =>
      history
        .moment(history.length - back)!
        .allocations()
        .map(({ data }) => data.id),
    );
    expect(open).toEqual([[2], [1, 2], [1, 2], [1]]);
    expect(
      history
        .moment(history.length - 1)!
        .refusals()
        .map(({ data }) => data.peer),
    ).toEqual(["10.9.9.9"]);
    expect(history.moment(history.length - 3)!.refusals()).toEqual([]);
  });

  it("has the address that an allocation's client had at the moment", () => {
    const lived = given(...aCall(), synced).history;
    const summary = { gateway: "ns/gw" as Name, listener: "udp", id: 1, user: "u", relayed: "10.0.0.9:1" };
    lived.take(
      { type: "allocation.opened", data: { ...summary, client: "192.0.2.1:9" } },
      { type: "allocation.moved", data: { ...summary, client: "198.51.100.7:5", from: "192.0.2.1:9" } },
      { type: "allocation.moved", data: { ...summary, id: 2, client: "198.51.100.8:5", from: "192.0.2.2:9" } },
    );
    const history = historyOf(lived.lines);
    const clientsAt = (back: number) =>
      history
        .moment(history.length - back)!
        .allocations()
        .map(({ type, data }) => [type, data.client]);
    expect(clientsAt(3)).toEqual([["allocation.opened", "192.0.2.1:9"]]);
    expect(clientsAt(1)).toEqual([["allocation.opened", "198.51.100.7:5"]]);
    const used = history.moment(history.length - 1)!.used();
    expect(used.map(({ data }) => data.client)).toEqual(["192.0.2.1:9", "198.51.100.7:5", "198.51.100.8:5"]);
  });
});

describe("a history", () => {
  it("finds lines by sequence number and by time, and what follows from a line", () => {
    const lived = given(...aCall(), synced).history;
    const history = historyOf(lived.lines);
    const cause = lived.lines.find(({ type }) => type === "objects.synced")!;
    expect(history.line(history.positionOf(cause.seq))).toBe(cause);
    expect(history.line(history.positionAt(cause.time))!.time).toBe(cause.time);
    expect([history.positionOf(0), history.positionAt(-1)]).toEqual([-1, -1]);
    expect(history.effectsOf(cause.seq)).toEqual(lived.lines.filter((line) => line.cause === cause.seq));
    expect(history.effectsOf(cause.seq).length).toBeGreaterThan(0);
  });
});
