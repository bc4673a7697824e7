import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base, changes, changesWithCertificates, names } from "../../test/support/changes.ts";
import { createHistory, given, gone, seen, synced } from "../../test/support/given.ts";
import {
  aCall,
  dataplane,
  gateway,
  gatewayApiRoute,
  gatewayClass,
  gatewayConfig,
  referenceGrant,
  route,
  service,
  slice,
} from "../../test/support/objects.ts";
import { digest } from "../journal/digest.ts";
import type { Fact, JournalLine } from "../journal/fact.ts";
import type { Name, ObjectKey } from "../resources/keys.ts";
import type { GatewayStatus } from "../render/render.ts";
import type { RenderOptions } from "../resources/view.ts";
import { operatorOptions, standaloneOptions } from "../runtime/options.ts";
import type { Fold } from "./fold.ts";
import { createCore, type Core, type CoreSnapshot } from "./core.ts";
import { replay } from "./replay.ts";

const serving: readonly Fact[] = [...aCall(), synced];

describe("the core", () => {
  it("concludes nothing before every list is complete", () => {
    const concluded = given(...aCall()).when().concluded;
    expect(concluded).toEqual([]);
  });

  it("brings a gateway up from its manifests", () => {
    given(...aCall())
      .when(synced)
      .then(
        "operator operator: syncing → standby",
        "operator operator: standby → leading",
        "rendered status GatewayClass/media",
        "listener ns/gw/udp: new → pending",
        "listener ns/gw/udp: pending → accepted",
        "gateway ns/gw: new → pending",
        "gateway ns/gw: pending → active",
        "rendered config ns/gw",
        "rendered status Gateway/ns/gw",
        "route UDPRoute/ns/r: detached → attached",
        "rendered status UDPRoute/ns/r",
      );
  });

  it("walks one endpoint from terminating to gone, and renders nothing else", () => {
    const { history } = given(...serving);
    const draining = history.take(seen("EndpointSlice", slice("media-1", "media", ["10.0.0.1", "!10.0.0.2"])));
    expect(draining).toEqual(["endpoint ns/media#10.0.0.2: active → terminating", "rendered draining ns/gw"]);
    expect(history.core.rendered("ns/gw" as Name)?.config?.clusters?.[0]?.endpoints).toEqual(["10.0.0.1", "10.0.0.2"]);

    const removed = history.take(seen("EndpointSlice", slice("media-1", "media", ["10.0.0.1"])));
    expect(removed).toEqual([
      "endpoint ns/media#10.0.0.2: terminating → gone",
      "rendered config ns/gw",
      "withdrawn draining ns/gw",
    ]);
    expect(history.core.rendered("ns/gw" as Name)?.config?.clusters?.[0]?.endpoints).toEqual(["10.0.0.1"]);
  });

  it("keeps an endpoint active while one of two slices still has it so", () => {
    given(...serving, seen("EndpointSlice", slice("media-2", "media", ["10.0.0.1"])))
      .when(seen("EndpointSlice", slice("media-1", "media", ["!10.0.0.1", "10.0.0.2"])))
      .thenExactly();
  });

  it("renders only the gateways that depend on what changed", () => {
    const { when } = given(
      ...serving,
      seen("Gateway", gateway("other", [{ name: "udp", port: 3479, protocol: "TURN-UDP" }])),
      seen("UDPRoute", route("o", ["other"], ["else"])),
      seen("Service", service("else")),
      seen("EndpointSlice", slice("else-1", "else", ["10.9.0.1"])),
    );
    const { concluded } = when(seen("EndpointSlice", slice("else-1", "else", ["10.9.0.2"])));
    expect(concluded.filter((line) => line.includes("rendered"))).toEqual(["rendered config ns/other"]);
  });

  it("does not track endpoints that no route names", () => {
    given(...serving)
      .when(seen("EndpointSlice", slice("dns-1", "kube-dns", ["10.2.0.1"])))
      .thenExactly();
  });

  it("does not repeat an output that stayed the same", () => {
    given(...serving)
      .when(...aCall())
      .thenExactly();
  });

  it("revives a route whose Service comes after it", () => {
    given(
      seen("GatewayClass", gatewayClass),
      seen("GatewayConfig", gatewayConfig()),
      seen("Gateway", gateway("gw")),
      seen("UDPRoute", route("r", ["gw"], ["late"])),
      synced,
    )
      .when(seen("Service", service("late")), seen("EndpointSlice", slice("late-1", "late", ["10.3.0.1"])))
      .then(
        "endpoint ns/late#10.3.0.1: new → active",
        "rendered config ns/gw",
        "route UDPRoute/ns/r: degraded → attached",
      );
  });

  it("admits an endpoint of another namespace as long as a grant stands", () => {
    const { history, when } = given(
      ...serving,
      seen("Gateway", gateway("other", [{ name: "udp", port: 3479, protocol: "TURN-UDP" }])),
      seen("GatewayUDPRoute", gatewayApiRoute("o", ["other"], ["far/media"])),
      seen("Service", service("media", "far")),
      seen("EndpointSlice", slice("media-1", "media", ["10.9.0.1"], "far")),
    );
    const endpoints = () => history.core.rendered("ns/other" as Name)?.config?.clusters?.[0]?.endpoints;
    const admitted = [
      "rendered config ns/other",
      "route GatewayUDPRoute/ns/o: degraded → attached",
      "rendered status GatewayUDPRoute/ns/o",
    ];
    const revoked = [
      "rendered config ns/other",
      "route GatewayUDPRoute/ns/o: attached → degraded",
      "rendered status GatewayUDPRoute/ns/o",
    ];
    expect(endpoints()).toBeUndefined();

    when(seen("ReferenceGrant", referenceGrant("far"))).thenExactly(...admitted);
    expect(endpoints()).toEqual(["10.9.0.1"]);
    expect(history.take(seen("ReferenceGrant", referenceGrant("far", "another")))).toEqual(revoked);
    expect(endpoints()).toBeUndefined();
    expect(history.take(seen("ReferenceGrant", referenceGrant("far", "media")))).toEqual(admitted);
    expect(history.take(gone("ReferenceGrant", "far/grant"))).toEqual(revoked);
    expect(endpoints()).toBeUndefined();
  });

  it("invalidates a gateway whose GatewayConfig goes, and brings it back", () => {
    const { history, when } = given(...serving);
    when(gone("GatewayConfig", "ns/config")).then("gateway ns/gw: active → invalid", "withdrawn config ns/gw");
    expect(history.take(seen("GatewayConfig", gatewayConfig()))).toContain("gateway ns/gw: invalid → active");
  });

  it("waits for the teardown of a deleted gateway, then forgets it", () => {
    const { history, when } = given(...serving);
    when(gone("Gateway", "ns/gw")).then("listener ns/gw/udp: accepted → gone", "gateway ns/gw: active → terminating");
    expect(history.take({ type: "gateway.removed", data: { gateway: "ns/gw" as Name, allocations: 0 } })).toEqual([
      "gateway ns/gw: terminating → gone",
    ]);
    expect(history.core.registry.entities("gateway").size).toBe(0);
  });

  it("tears every gateway down when it stops", () => {
    const { history } = given(...serving);
    history.take({ type: "operator.stopping", data: { reason: "test" } });
    expect(history.take({ type: "operator.drained", data: {} })).toContain("gateway ns/gw: active → terminating");
    // Its own status comes back to it: what has ended does not end again.
    expect(history.take(seen("Gateway", { ...gateway("gw"), status: {} }))).not.toContain(
      "listener ns/gw/udp: new → pending",
    );
    expect(history.take({ type: "operator.finalized", data: { removed: [], left: [] } })).toContain(
      "operator operator: finalizing → stopped",
    );
  });

  it("keeps the time of a condition whose status stayed the same", () => {
    const { history } = given(...serving);
    const conditionsOf = () =>
      (history.core.status("Gateway/ns/gw" as never) as { conditions: { type: string; lastTransitionTime: string }[] })
        .conditions;
    const before = conditionsOf();
    expect(before.every(({ lastTransitionTime }) => lastTransitionTime.startsWith("1970-01-01T00:00:"))).toBe(true);
    history.take(seen("Gateway", { ...gateway("gw"), metadata: { name: "gw", namespace: "ns", generation: 2 } }));
    expect(conditionsOf()).toEqual(before.map((condition) => ({ ...condition, observedGeneration: 2 })));
  });
});

const everyMode: readonly RenderOptions[] = [
  standaloneOptions("127.0.0.1"),
  operatorOptions(),
  operatorOptions({ mode: "legacy" }),
];

const worldOf = (history: ReturnType<typeof createHistory>) => ({
  configs: names.map((name) => history.core.rendered(`ns/${name}` as Name)),
  endpoints: [...history.core.registry.entities("endpoint")].toSorted(),
  gateways: [...history.core.registry.entities("gateway")].filter(([, state]) => state !== "terminating").toSorted(),
});

describe("any history", () => {
  it("ends where a start from its last objects would be", () => {
    fc.assert(
      fc.property(changes, (facts) => {
        const lived = createHistory();
        lived.take(...base);
        for (const fact of facts) lived.take(fact);

        const fresh = createHistory();
        const snapshot = lived.core.export();
        fresh.take(...snapshot.objects.map(([kind, object]) => seen(kind, object)), synced);
        expect(worldOf(fresh)).toEqual(worldOf(lived));
      }),
      { numRuns: 300 },
    );
  });

  it("folds to the same whether its facts come one by one or together", () => {
    fc.assert(
      fc.property(changes, (facts) => {
        const onebyone = createHistory();
        onebyone.take(...base);
        for (const fact of facts) onebyone.take(fact);
        const together = createHistory();
        together.take(...base);
        together.take(...facts);
        expect(worldOf(together).configs).toEqual(worldOf(onebyone).configs);
      }),
      { numRuns: 200 },
    );
  });

  it("replays identically, cut off after any line", () => {
    fc.assert(
      fc.property(changesWithCertificates, fc.nat(), (facts, cut) => {
        const history = createHistory();
        history.take(...base);
        for (const fact of facts) history.take(fact);
        const lines = JSON.parse(JSON.stringify(history.lines)) as JournalLine[];
        expect(replay(lines, digest).divergence).toBeUndefined();
        expect(replay(lines.slice(0, cut % (lines.length + 1)), digest).divergence).toBeUndefined();
      }),
      { numRuns: 200 },
    );
  });

  /** Without the revisions of admission, which count within one process. */
  const concluded = ({ derived, changes }: Fold) => ({
    derived,
    changes: changes.map(({ admission, ...change }) => ({ ...change, transitions: admission?.transitions })),
  });

  it("goes on from a snapshot as if nothing had been left out", () => {
    fc.assert(
      fc.property(
        changesWithCertificates,
        changesWithCertificates,
        fc.constantFrom(...everyMode),
        (before, after, options) => {
          const history = createHistory(options);
          history.take(...base, seen("Dataplane", dataplane));
          for (const fact of before) history.take(fact);
          const snapshot = JSON.parse(JSON.stringify(history.core.export())) as CoreSnapshot;
          const resumed = createCore(snapshot.options, digest, { snapshot, relay: true });
          expect(resumed.export()).toEqual(history.core.export());
          for (const [index, fact] of after.entries()) {
            const line = { v: 1, seq: 10_000 + index, time: 1_000_000, source: "test", cause: null, ...fact } as const;
            expect(resumed.apply(line)).toEqual(history.core.apply(line));
            expect(concluded(resumed.fold(1_000_000))).toEqual(concluded(history.core.fold(1_000_000)));
            expect(resumed.export()).toEqual(history.core.export());
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("a write that Kubernetes refuses", () => {
  const setUp = () => {
    const history = createHistory(operatorOptions());
    history.take(...aCall(), seen("Dataplane", dataplane), synced, {
      type: "lease.acquired",
      data: { holder: "test" },
    });
    return history;
  };
  const failed = (status: number, target = "Service ns/gw", reason = "port 30777 is taken"): Fact => ({
    type: "effect.failed",
    data: { effect: "write", target, reason, ...(status === 0 ? {} : { status }) },
  });
  const written = (object: string, outcome: "created" | "unchanged" | "absent"): Fact => ({
    type: "object.written",
    data: { object, outcome },
  });
  const programmed = (core: Core): string => {
    const { conditions } = core.status("Gateway/ns/gw" as ObjectKey) as GatewayStatus;
    return conditions.find(({ type }) => type === "Programmed")?.message ?? "";
  };

  it("is in the status, with what Kubernetes says, until it succeeds", () => {
    const { core, take } = setUp();
    const before = programmed(core);
    expect(take(failed(422))).toEqual(["rendered status Gateway/ns/gw"]);
    expect(programmed(core)).toBe("Kubernetes refuses the Service ns/gw: port 30777 is taken");
    expect(take(failed(422))).toEqual([]);
    expect(take(written("Deployment/ns/gw", "created"))).toEqual([]);
    expect(take(written("Service/ns/gw", "unchanged"))).toEqual(["rendered status Gateway/ns/gw"]);
    expect(programmed(core)).toBe(before);
  });

  it.each([0, 401, 408, 409, 429, 500, 503])("is something else than one that fails with %s", (status) => {
    const { take, core } = setUp();
    expect(take(failed(status))).toEqual([]);
    take(failed(403));
    // Nor does it say that the refusal is over.
    expect(take(failed(status, "Service ns/gw", "other"))).toEqual([]);
    expect(programmed(core)).toContain("is taken");
  });

  it("of a status, or of an object that is not wanted, is nobody's business", () => {
    const { take } = setUp();
    expect(take(failed(422, "status Gateway/ns/gw"))).toEqual([]);
    expect(take(failed(422, "DaemonSet ns/gw"))).toEqual([]);
    expect(take(failed(422, "Service ns/gone"))).toEqual([]);
    expect(take(written("Service/ns/gone", "absent"))).toEqual([]);
  });

  it("of the ConfigMap of a class is in the status of each of its Gateways", () => {
    const { take } = createHistory(operatorOptions({ mode: "legacy" }));
    take(...aCall(), seen("Gateway", gateway("other")), synced, { type: "lease.acquired", data: { holder: "test" } });
    const told = ["rendered status Gateway/ns/gw", "rendered status Gateway/ns/other"];
    expect(take(failed(403, "ConfigMap ns/stunnerd-config"))).toEqual(told);
    expect(take(written("ConfigMap/ns/stunnerd-config", "created"))).toEqual(told);
  });

  it("is known after a snapshot, and replays", () => {
    const history = setUp();
    history.take(failed(422));
    const snapshot = JSON.parse(JSON.stringify(history.core.export())) as CoreSnapshot;
    const restored = createCore(history.core.options, digest, { snapshot });
    expect(JSON.stringify(restored.export())).toBe(JSON.stringify(history.core.export()));
    expect(programmed(restored)).toContain("30777");
    history.take(written("Service/ns/gw", "created"));
    expect(history.core.export()).not.toHaveProperty("refusals");
    expect(replay(JSON.parse(JSON.stringify(history.lines)) as JournalLine[], digest).divergence).toBeUndefined();
  });
});

describe("replay", () => {
  const recorded = (): JournalLine[] => {
    const history = createHistory();
    history.take(...serving);
    history.take(seen("EndpointSlice", slice("media-1", "media", ["10.0.0.1"])));
    return JSON.parse(JSON.stringify(history.lines)) as JournalLine[];
  };

  it("counts what it compared", () => {
    const { facts, transitions, outputs, runs } = replay(recorded(), digest);
    expect({ facts, runs }).toEqual({ facts: serving.length + 2, runs: 1 });
    expect(transitions).toBeGreaterThan(8);
    expect(outputs).toBeGreaterThan(4);
  });

  it("names the first transition that differs, and the facts behind it", () => {
    const lines = recorded();
    const index = lines.findIndex(
      (line) => line.type === "transition" && line.data.machine === "endpoint" && line.data.to === "gone",
    );
    const line = lines[index];
    if (line?.type !== "transition") throw new Error("no such line");
    lines[index] = { ...line, data: { ...line.data, to: "terminating" } };
    const { divergence } = replay(lines, digest);
    expect(divergence?.seq).toBe(line.seq);
    expect(divergence?.recorded).toContain("→ terminating");
    expect(divergence?.replayed).toContain("→ gone");
    expect(divergence?.causes[0]?.type).toBe("object.seen");
  });

  it("names the part of an output that differs", () => {
    const lines = recorded().map((line) =>
      line.type === "rendered" && line.data.output === "config ns/gw" && line.data.parts !== null
        ? { ...line, data: { ...line.data, parts: { ...line.data.parts, "clusters[ns/r]": "000000000000" } } }
        : line,
    );
    const { divergence } = replay(lines, digest);
    expect(divergence?.recorded).toMatch(/config ns\/gw: clusters\[ns\/r\]=000000000000$/);
  });

  it("notices a conclusion that the log lacks, and one that it has too many", () => {
    const lines = recorded();
    const index = lines.findIndex((line) => line.type === "transition" && line.data.machine === "route");
    expect(replay(lines.toSpliced(index, 1), digest).divergence).toBeDefined();
    expect(replay(lines.toSpliced(index, 0, lines[index]!), digest).divergence).toBeDefined();
  });
});
