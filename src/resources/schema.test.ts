import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { findKind, kinds } from "./kinds.ts";
import type { Problem } from "./schemas/problem.ts";
import { validate } from "./schema.ts";

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: unknown;
  readonly [field: string]: unknown;
}

const check = (manifest: Manifest): ReturnType<typeof validate> => {
  const kind = findKind(manifest.apiVersion, manifest.kind);
  if (kind === undefined) throw new Error("unknown kind");
  return validate(kind, manifest);
};

const problemsOf = (manifest: Manifest): readonly string[] => {
  const result = check(manifest);
  const problems: readonly Problem[] = "problems" in result ? result.problems : [];
  return problems.map(({ field, reason }) => `${field} ${reason}`);
};

const objectOf = (manifest: Manifest): unknown => {
  const result = check(manifest);
  if ("problems" in result) throw new Error(JSON.stringify(result.problems));
  return result.object;
};

const metadata = { name: "x", namespace: "n" };
const config = (spec: unknown, version = "v1"): Manifest => ({
  apiVersion: `stunner.l7mp.io/${version}`,
  kind: "GatewayConfig",
  metadata,
  spec,
});
const route = (spec: unknown): Manifest => ({
  apiVersion: "stunner.l7mp.io/v1",
  kind: "UDPRoute",
  metadata,
  spec,
});
const gateway = (...listeners: readonly unknown[]): Manifest => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata,
  spec: { gatewayClassName: "c", listeners },
});
const gatewayApiRoute = (spec: unknown, version = "v1"): Manifest => ({
  apiVersion: `gateway.networking.k8s.io/${version}`,
  kind: "UDPRoute",
  metadata,
  spec,
});
const grant = (from: unknown, to: unknown, version = "v1"): Manifest => ({
  apiVersion: `gateway.networking.k8s.io/${version}`,
  kind: "ReferenceGrant",
  metadata,
  spec: { from, to },
});
const slice = (addressType: string, endpoints: unknown): Manifest => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata,
  addressType,
  endpoints,
});

describe("defaults", () => {
  it("are filled in as a cluster does", () => {
    expect(objectOf(config({ userName: "u" }))).toEqual({
      ...config({ dataplane: "default", realm: "stunner.l7mp.io", authType: "plaintext", userName: "u" }),
    });
    expect(objectOf(route({ parentRefs: [{ name: "g" }], rules: [{ backendRefs: [{ name: "s" }] }] }))).toMatchObject({
      spec: {
        parentRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "g" }],
        rules: [{ backendRefs: [{ group: "", kind: "Service", name: "s" }] }],
      },
    });
  });

  it("reach into lists and fill the status of a new Gateway", () =>
    expect(objectOf(gateway({ name: "a", port: 1, protocol: "UDP" }))).toMatchObject({
      spec: { listeners: [{ allowedRoutes: { namespaces: { from: "Same" } } }] },
      status: {
        conditions: [
          { type: "Accepted", status: "Unknown" },
          { type: "Programmed", status: "Unknown" },
        ],
      },
    }));

  it("stand in for null", () =>
    expect(objectOf(config({ realm: null }))).toMatchObject({ spec: { realm: "stunner.l7mp.io" } }));

  it("count in what depends on them", () => {
    const manifest = gateway({ name: "a", port: 1, protocol: "UDP" });
    const spec = { ...(manifest["spec"] as object), addresses: [{ value: "192.0.2.1" }] };
    expect(objectOf({ ...manifest, spec })).toMatchObject({ spec: { addresses: [{ type: "IPAddress" }] } });
  });

  it("are not needed where null is as good as absent", () =>
    expect(objectOf(route({ parentRefs: null, rules: [{ backendRefs: null }] }))).toEqual(route({ rules: [{}] })));

  it("leave the object that was given as it is", () => {
    const given = config({});
    objectOf(given);
    expect(given).toEqual(config({}));
  });
});

describe("custom resources", () => {
  it("have no unknown fields", () => {
    expect(problemsOf(config({ userNane: "u" }))).toEqual(["spec.userNane unknown field"]);
    expect(problemsOf(route({ rules: [{ backendRefs: [{ name: "s", weight: 1 }] }] }))).toEqual([
      "spec.rules[0].backendRefs[0].weight unknown field",
    ]);
    expect(problemsOf({ ...config({}), data: {} })).toEqual(["data unknown field"]);
  });

  it("may have any metadata and status", () => {
    const odd = { name: "x", managedFields: [], creationTimestamp: null, labels: null };
    expect(problemsOf({ ...route({ rules: [{}] }), metadata: odd, status: { anything: 1 } })).toEqual([]);
  });

  it.each([
    [config({ realm: "Not A Realm" }), /^spec\.realm must match pattern/],
    [config({ authRef: {} }), /^spec\.authRef\.name is required$/],
    [config({ userQuota: "1" }), /^spec\.userQuota must be integer$/],
    [config({ authLifetime: 2 ** 40 }), /^spec\.authLifetime must be a 32-bit integer$/],
    [route(undefined), /^spec is required$/],
    [grant([], [{ group: "", kind: "Service" }]), /^spec\.from must NOT have fewer than 1 items$/],
    [grant([{ group: "", kind: "X", namespace: "n" }], [{ kind: "Service" }]), /^spec\.to\[0\]\.group is required$/],
    [grant([{ group: "", kind: "X", namespace: "n" }], [{ group: "", kind: "X", name: "" }], "v1beta1"), /name/],
    [route({ rules: [] }), /^spec\.rules must NOT have fewer than 1 items$/],
    [
      route({ rules: [{ backendRefs: [{ name: "s", port: 70000 }] }] }),
      /^spec\.rules\[0\]\.backendRefs\[0\]\.port must be <= 65535$/,
    ],
    [gateway({ name: "a", port: 0, protocol: "UDP" }), /^spec\.listeners\[0\]\.port must be >= 1$/],
    [{ ...config({}), metadata: {} }, /^metadata\.name is required$/],
  ])("get an error that says what is wrong, and where (%#)", (manifest, problem) =>
    expect(problemsOf(manifest)).toEqual([expect.stringMatching(problem)]),
  );

  it("never show the value that is wrong", () =>
    expect(JSON.stringify(check(config({ password: "very secret" })))).not.toContain("very"));

  it("list at most ten problems", () => {
    const listeners = Array.from({ length: 20 }, (_, index) => ({ name: `l${index}`, port: 0, protocol: "UDP" }));
    expect(problemsOf(gateway(...listeners))).toHaveLength(10);
  });

  it("keep what is not looked into", () => {
    const dataplane = {
      apiVersion: "stunner.l7mp.io/v1",
      kind: "Dataplane",
      metadata: { name: "default" },
      spec: {
        affinity: { nodeAffinity: { any: 1 } },
        env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "x" } } }],
      },
    };
    expect(objectOf(dataplane)).toMatchObject(dataplane);
  });

  it("of older versions are read as v1, without what v1 does not have", () => {
    const old = config({ authType: "static", minPort: 1, maxPort: 2, stunnerConfig: "c" }, "v1alpha1");
    expect(objectOf(old)).toEqual(config({ authType: "static", dataplane: "default", realm: "stunner.l7mp.io" }));
    expect(problemsOf(config({ userQuota: 1 }, "v1alpha1"))).toEqual(["spec.userQuota unknown field"]);
  });

  it("are of the kind that they say", () => {
    const kind = findKind("stunner.l7mp.io/v1", "UDPRoute");
    expect(kind && validate(kind, config({}))).toEqual({ problems: [{ field: "kind", reason: "is not of UDPRoute" }] });
    expect(kind && validate(kind, "text")).toEqual({ problems: [{ field: "", reason: "must be an object" }] });
  });
});

describe("rules of the Gateway API", () => {
  it.each([
    [
      [
        { name: "a", port: 1, protocol: "UDP" },
        { name: "a", port: 2, protocol: "UDP" },
      ],
      "spec.listeners must not have two items of the same key",
    ],
    [
      [
        { name: "a", port: 1, protocol: "UDP" },
        { name: "b", port: 1, protocol: "UDP" },
      ],
      "spec.listeners[1] combination of port, protocol and hostname must be unique",
    ],
    [
      [{ name: "a", port: 1, protocol: "UDP", tls: { mode: "Passthrough" } }],
      "spec.listeners[0].tls must not be specified for protocol UDP",
    ],
    [
      [{ name: "a", port: 1, protocol: "TCP", hostname: "a.b" }],
      "spec.listeners[0].hostname must not be specified for protocol TCP",
    ],
    [[{ name: "a", port: 1, protocol: "TLS" }], "spec.listeners[0].tls.mode must be set for protocol TLS"],
    [
      [{ name: "a", port: 1, protocol: "TURN-TLS", tls: {} }],
      "spec.listeners[0].tls needs certificateRefs or options when mode is Terminate",
    ],
  ])("hold for listeners (%#)", (listeners, problem) => expect(problemsOf(gateway(...listeners))).toEqual([problem]));

  it("hold for a route's parents and backends", () => {
    const rules = [{ backendRefs: [{ name: "s", port: 1 }] }];
    expect(
      problemsOf(gatewayApiRoute({ parentRefs: [{ name: "g" }, { name: "g", sectionName: "a" }], rules })),
    ).toEqual([
      "spec.parentRefs[0] sectionName or port must be given, and differ, for several references to one parent",
    ]);
    expect(problemsOf(gatewayApiRoute({ rules: [{ backendRefs: [{ name: "s" }] }] }, "v1alpha2"))).toEqual([
      "spec.rules[0].backendRefs[0].port is required for a Service",
    ]);
    expect(
      problemsOf(
        gatewayApiRoute({
          parentRefs: [
            { name: "g", sectionName: "a" },
            { name: "g", sectionName: "b" },
          ],
          rules,
        }),
      ),
    ).toEqual([]);
  });
});

describe("Kubernetes' own kinds", () => {
  it("let unknown fields through and take null as nothing", () => {
    const manifest = {
      ...slice("IPv4", [{ addresses: ["10.0.0.1"], conditions: { ready: null }, zone: "a" }]),
      ports: null,
    };
    expect(objectOf(manifest)).toBe(manifest);
    expect(problemsOf(slice("IPv4", null))).toEqual([]);
  });

  it("have IP addresses, but for slices of names", () => {
    expect(problemsOf(slice("IPv4", [{ addresses: ["nope"] }]))).toEqual([
      "endpoints[0].addresses[0] must be an IP address",
    ]);
    expect(problemsOf(slice("FQDN", [{ addresses: ["a.example.org"] }]))).toEqual([]);
    const endpoints = { apiVersion: "v1", kind: "Endpoints", metadata, subsets: [{ addresses: [{ ip: "x" }] }] };
    expect(problemsOf(endpoints)).toEqual(["subsets[0].addresses[0].ip must be an IP address"]);
  });

  it("have ports within bounds and known types", () => {
    const spec = { type: "Odd", clusterIP: "x", ports: [{ port: 0 }] };
    expect(problemsOf({ apiVersion: "v1", kind: "Service", metadata, spec })).toEqual([
      "spec.type must be one of ClusterIP, NodePort, LoadBalancer, ExternalName",
      "spec.clusterIP must be an IP address, None or empty",
      "spec.ports[0].port must be >= 1",
    ]);
  });

  it("are checked to the last of a thousand endpoints", () => {
    const endpoints = Array.from({ length: 1000 }, (_, index) => ({
      addresses: [`10.0.${index >> 8}.${index & 255}`],
      conditions: { ready: true },
    }));
    expect(problemsOf(slice("IPv4", endpoints))).toEqual([]);
    expect(
      problemsOf(slice("IPv4", endpoints.with(999, { addresses: ["nope"], conditions: { ready: true } }))),
    ).toEqual(["endpoints[999].addresses[0] must be an IP address"]);
  });
});

describe("the CRDs", () => {
  const folder = new URL("../../deploy/crds/", import.meta.url);
  interface Definition {
    readonly metadata: { readonly name: string };
    readonly spec: {
      readonly group: string;
      readonly scope: string;
      readonly names: { readonly kind: string; readonly plural: string };
      readonly versions: readonly { readonly name: string; readonly storage: boolean }[];
    };
  }
  const definitions = readdirSync(folder)
    .filter((file) => file.startsWith("stunner.l7mp.io_"))
    .map((file): Definition => parse(readFileSync(new URL(file, folder), "utf8")));

  it("are those of the kinds that are read", () => {
    const ours = kinds.filter(({ group }) => group === "stunner.l7mp.io");
    expect(definitions.map(({ spec }) => spec.names.kind).toSorted()).toEqual(ours.map(({ id }) => id).toSorted());
    for (const {
      metadata: { name },
      spec,
    } of definitions) {
      const kind = ours.find(({ id }) => id === spec.names.kind);
      expect(name).toBe(`${spec.names.plural}.${spec.group}`);
      expect(spec).toMatchObject({
        scope: kind?.namespaced ? "Namespaced" : "Cluster",
        names: { plural: kind?.plural },
      });
      expect(spec.versions.map((version) => version.name)).toEqual(kind?.versions);
      expect(spec.versions.filter(({ storage }) => storage).map((version) => version.name)).toEqual(["v1"]);
    }
  });
});
