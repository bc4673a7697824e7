import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MachineId } from "../journal/fact.ts";
import type { EventsOf } from "./machines.ts";
import { createRegistry } from "./registry.ts";

/** given(machine, events so far).when(event).then(transitions) */
const given = <M extends MachineId>(machine: M, ...events: readonly EventsOf[M][]) => {
  const registry = createRegistry();
  for (const event of events) registry.send(machine, "it", event);
  return {
    registry,
    when: (event: EventsOf[M]) => ({
      then: (...expected: readonly string[]) => {
        const transitions = registry.send(machine, "it", event);
        expect(transitions.map(({ data: { from, to } }) => `${from || "new"} → ${to}`)).toEqual(expected);
      },
    }),
  };
};

describe("an endpoint", () => {
  it("is active once it is listed", () => given("endpoint").when("listed").then("new → active"));
  it("is terminating at once where it is first seen so", () =>
    given("endpoint").when("listed terminating").then("new → active", "active → terminating"));
  it("becomes terminating while it is still listed", () =>
    given("endpoint", "listed").when("listed terminating").then("active → terminating"));
  it("comes back when the pod recovers", () =>
    given("endpoint", "listed", "listed terminating").when("listed").then("terminating → active"));
  it("is gone once nothing lists it", () =>
    given("endpoint", "listed", "listed terminating").when("unlisted").then("terminating → gone"));
  it("may be gone without having been terminating", () =>
    given("endpoint", "listed").when("unlisted").then("active → gone"));
  it("does not move on what it knows already", () => given("endpoint", "listed").when("listed").then());
  it("starts anew after its end", () => given("endpoint", "listed", "unlisted").when("listed").then("new → active"));
});

describe("a gateway", () => {
  it("is active once it is rendered", () =>
    given("gateway").when("rendered").then("new → pending", "pending → active"));
  it("is invalid while what it refers to is wrong", () =>
    given("gateway", "rendered").when("invalidated").then("active → invalid"));
  it("recovers from that", () => given("gateway", "invalidated").when("rendered").then("invalid → active"));
  it("waits for its teardown", () => given("gateway", "rendered").when("deleted").then("active → terminating"));
  it("is gone when the teardown ends", () =>
    given("gateway", "rendered", "deleted").when("removed").then("terminating → gone"));
  it("starts anew when it returns before that", () =>
    given("gateway", "rendered", "deleted").when("recreated").then("terminating → pending"));
});

describe("a listener", () => {
  it("serves once it is bound", () => given("listener", "accepted").when("bound").then("accepted → serving"));
  it("says so when it cannot bind", () => given("listener", "accepted").when("failed").then("accepted → failed"));
  it("serves after a later try", () => given("listener", "accepted", "failed").when("bound").then("failed → serving"));
  it("is refused on a conflict", () => given("listener").when("refused").then("new → pending", "pending → refused"));
  it("is gone when its Gateway drops it", () =>
    given("listener", "accepted", "bound").when("dropped").then("serving → gone"));
});

describe("a route", () => {
  it("attaches", () => given("route").when("attached").then("new → detached", "detached → attached"));
  it("is degraded while a backend is missing", () =>
    given("route", "attached").when("attached unresolved").then("attached → degraded"));
  it("gives way to a native route", () => given("route", "attached").when("masked").then("attached → masked"));
  it("is gone when deleted", () => given("route", "attached").when("deleted").then("attached → gone"));
});

describe("the operator", () => {
  it("acts only after every list is complete", () => given("operator", "started").when("elected").then());
  it("stands by until elected", () => given("operator", "started").when("synced").then("syncing → standby"));
  it("steps back when deposed", () =>
    given("operator", "started", "synced", "elected").when("deposed").then("leading → standby"));
  it("stops from the middle of a start", () =>
    given("operator", "started").when("stopping").then("syncing → draining"));
  it("always ends", () =>
    given("operator", "started", "synced", "elected", "stopping", "drained")
      .when("finalized")
      .then("finalizing → stopped"));
});

describe("the registry", () => {
  it("forgets what has ended, so that it does not grow with history", () => {
    const registry = createRegistry();
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.nat(20), fc.constantFrom<EventsOf["endpoint"]>("listed", "listed terminating", "unlisted")),
          { maxLength: 200 },
        ),
        (events) => {
          for (const [which, event] of events) registry.send("endpoint", String(which), event);
          expect(registry.entities("endpoint").size).toBeLessThanOrEqual(21);
          expect([...registry.entities("endpoint").values()]).not.toContain("gone");
        },
      ),
    );
  });

  it("is the same again from what it exports", () => {
    const registry = given("route", "attached").registry;
    registry.send("endpoint", "a#1", "listed terminating");
    const copy = createRegistry(JSON.parse(JSON.stringify(registry.export())));
    expect(copy.export()).toEqual(registry.export());
    expect(copy.send("endpoint", "a#1", "unlisted")).toEqual(registry.send("endpoint", "a#1", "unlisted"));
  });
});
