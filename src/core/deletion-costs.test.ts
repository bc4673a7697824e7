import { expect, it } from "vitest";
import { given, gone, seen, synced } from "../../test/support/given.ts";
import { aCall } from "../../test/support/objects.ts";
import { digest } from "../journal/digest.ts";
import type { Fact } from "../journal/fact.ts";
import type { Name } from "../resources/keys.ts";
import { createCore, type CoreSnapshot } from "./core.ts";
import { replay } from "./replay.ts";

const POD = "ns/gw-1" as Name;

const load = (allocations: number): Fact =>
  seen("PodLoad", {
    apiVersion: "turnpike/v1",
    kind: "PodLoad",
    metadata: { namespace: "ns", name: "gw-1" },
    spec: { gateway: "ns/gw" as Name, allocations },
  });

it("a pod's deletion cost follows its load until the pod is gone, and replays", () => {
  const { history } = given(...aCall(), synced);
  expect(history.take(load(12))).toEqual(["rendered deletion-cost ns/gw-1"]);
  expect(history.core.deletionCost(POD)).toBe(12);
  expect(history.take(load(20))).toEqual(["rendered deletion-cost ns/gw-1"]);
  expect(history.core.deletionCost(POD)).toBe(20);
  expect(replay(history.lines, digest).divergence).toBeUndefined();

  expect(history.take(gone("PodLoad", POD))).toEqual(["withdrawn deletion-cost ns/gw-1"]);
  expect(history.core.deletionCost(POD)).toBeUndefined();
  expect(replay(history.lines, digest).divergence).toBeUndefined();
});

it("a pod's deletion cost is known after a snapshot", () => {
  const { history } = given(...aCall(), synced, load(12));
  const snapshot = JSON.parse(JSON.stringify(history.core.export())) as CoreSnapshot;
  expect(createCore(snapshot.options, digest, { snapshot }).deletionCost(POD)).toBe(12);
});
