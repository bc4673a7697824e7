import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startFakeApi, type Asked, type FakeApi } from "../../test/support/fake-api.ts";
import { aCall, dataplane } from "../../test/support/objects.ts";
import { createCore } from "../core/core.ts";
import { digest } from "../journal/digest.ts";
import { JOURNAL_VERSION, type Fact, type FactLine } from "../journal/fact.ts";
import { createVault } from "../journal/vault.ts";
import type { AnyObject } from "../resources/kinds.ts";
import { OWNED_BY_LABEL, OWNED_BY_VALUE } from "../resources/names.ts";
import type { RenderOptions } from "../resources/view.ts";
import { operatorOptions } from "../runtime/options.ts";
import { createReconciler, type Reconciler } from "./reconcile.ts";
import { eventually, throughout } from "../../test/support/eventually.ts";

let server: FakeApi;

beforeEach(async () => {
  server = await startFakeApi();
});
afterEach(() => server.stop());

/** An operator that has started with a Gateway and its Deployment there, and that has not folded yet. */
const setUp = (reported: Fact[] = [], overrides: Partial<RenderOptions> = {}) => {
  const options = operatorOptions(overrides);
  const core = createCore(options, digest);
  const vault = createVault();
  const redact = (fact: Fact): Fact =>
    fact.type === "object.seen"
      ? { type: "object.seen", data: { ...fact.data, object: vault.redact(fact.data.kind, fact.data.object) } }
      : fact;
  const reconciler: Reconciler = createReconciler({
    api: server.api,
    core,
    vault,
    report: (happenings) => reported.push(...happenings.map(({ fact }) => fact)),
  });
  let seq = 0;
  const take = (...facts: readonly Fact[]): void => {
    for (const fact of facts) {
      seq += 1;
      const line = { v: JOURNAL_VERSION, seq, time: seq, source: "test", cause: null, ...fact } as FactLine;
      core.apply(line);
      reconciler.observed(line);
    }
  };
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "gw", namespace: "ns", labels: { [OWNED_BY_LABEL]: OWNED_BY_VALUE } },
  } as AnyObject;
  take({ type: "operator.started", data: { options, release: "test" } }, ...aCall().map(redact));
  take({ type: "object.seen", data: { kind: "Dataplane", object: dataplane } });
  take({ type: "object.seen", data: { kind: "Deployment", object: deployment } });
  take({ type: "objects.synced", data: { objects: 7 } }, { type: "lease.acquired", data: { holder: "test" } });
  return { core, reconciler, fold: () => reconciler.folded(core.fold(seq)) };
};

it("nothing is concluded, let alone removed, before the first fold", async () => {
  const { reconciler, core, fold } = setUp();
  reconciler.lead(true);
  expect(core.dirty).toBe(true);
  await new Promise((resolve) => setImmediate(resolve));
  expect(server.asked).toEqual([]);
  fold();
  await eventually(() => expect(server.asked.length).toBeGreaterThan(0));
  expect(server.asked.filter(({ method }) => method === "DELETE")).toEqual([]);
  reconciler.close();
});

it("nothing is written by one who does not lead, or leads no more; it stays to be done", async () => {
  const { reconciler, fold } = setUp();
  fold();
  expect(reconciler.left).toContain("Deployment ns/gw");
  reconciler.lead(true);
  server.answer({ status: 500, times: Number.POSITIVE_INFINITY });
  await eventually(() => expect(server.asked.length).toBeGreaterThan(3));
  reconciler.lead(false);
  await reconciler.idle();
  // What was under way may still reach the server; nothing more is begun.
  const begun = { ...server.api.requests };
  // The pauses of what failed are over by then.
  await throughout(400, () => expect(server.api.requests).toEqual(begun));
  expect(reconciler.left).toContain("Deployment ns/gw");
  reconciler.close();
});

it("one who leads no more does not go on with what it had begun", async () => {
  const { reconciler, fold } = setUp();
  // The look before a write: by the time it is answered, somebody else leads.
  server.answer({ delayMs: 300, times: Number.POSITIVE_INFINITY });
  fold();
  reconciler.lead(true);
  await eventually(() => expect(server.asked.length).toBeGreaterThan(0));
  reconciler.lead(false);
  await reconciler.idle();
  await eventually(() => expect(server.asked.filter(({ isOpen }) => isOpen)).toEqual([]));
  expect(server.asked.filter(({ method, path }) => method !== "GET" && !path.endsWith("/status"))).toEqual([]);
  expect(reconciler.left).toContain("Deployment ns/gw");
});

describe("a write that failed", () => {
  const isService = ({ method, path }: Asked): boolean => method === "PATCH" && path.includes("/services/");
  const aboutService = (facts: readonly Fact[]) =>
    facts.filter((fact) => JSON.stringify(fact.data).includes("Service")).map(({ data }) => data);
  const object = "Service/ns/gw";
  const target = "Service ns/gw";

  beforeEach(() => {
    for (const path of ["/api/v1/services", "/apis/apps/v1/deployments", "/apis/apps/v1/daemonsets"])
      server.serve(path);
  });

  it.each([
    ["made", {}, "created"],
    ["there already", { isDone: true }, "unchanged"],
  ] as const)("is reported with its status, and that the object is %s at last", async (_, script, outcome) => {
    server.answer({ of: isService, status: 422, ...script });
    const reported: Fact[] = [];
    const { reconciler, fold } = setUp(reported);
    fold();
    reconciler.lead(true);
    await eventually(() =>
      expect(aboutService(reported)).toEqual([
        expect.objectContaining({ effect: "write", target, status: 422 }),
        { object, outcome },
      ]),
    );
    reconciler.close();
  });

  it("is reported again when it fails in another way, and not for each try", async () => {
    server.answer({ of: isService, status: 500, times: 2 });
    server.answer({ of: isService, status: 422, times: 2 });
    server.answer({ of: isService, instead: "connection" });
    const reported: Fact[] = [];
    const { reconciler, fold } = setUp(reported);
    fold();
    reconciler.lead(true);
    await eventually(() => expect(aboutService(reported)).toContainEqual({ object, outcome: "created" }));
    expect(aboutService(reported)).toMatchObject([{ status: 500 }, { status: 422 }, { effect: "write" }, { object }]);
    reconciler.close();
  });
});

it("a failure shows no secret that a refusal of a ConfigMap quotes", async () => {
  const reported: Fact[] = [];
  const { reconciler, fold } = setUp(reported, { mode: "legacy" });
  const message = 'denied: {"username":"user","password":"vault:pass"} and vault:pass';
  const body = JSON.stringify({ kind: "Status", reason: "Forbidden", message });
  server.answer({ of: ({ path, method }) => path.includes("configmaps") && method === "PATCH", status: 403, body });
  for (const path of ["/api/v1/services", "/api/v1/configmaps"]) server.serve(path);
  fold();
  reconciler.lead(true);
  await eventually(() =>
    expect(reported).toContainEqual({
      type: "effect.failed",
      data: expect.objectContaining({
        target: "ConfigMap ns/stunnerd-config",
        reason: 'denied: {"username":"user","password":"…"} and …',
      }),
    }),
  );
  reconciler.close();
});
