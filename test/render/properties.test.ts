/** What holds for whatever a cluster would accept. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findKind, type AnyObject } from "../../src/resources/kinds.ts";
import { validate } from "../../src/resources/schema.ts";
import { renderRoute } from "../../src/render/render.ts";
import { transportOf } from "../../src/render/protocol.ts";
import {
  clusterOf,
  fixture,
  optionsWith,
  patched,
  plus,
  podIPs,
  render,
  routeOf,
  see,
  service,
  slice,
  withBackends,
  withListeners,
  type Objects,
} from "./fixture.ts";

const name = fc.constantFrom("testservice-ok", "teststaticservice-ok", "other", "absent");
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const defined = (value: object): object =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined));

const backend = fc
  .record({
    name,
    group: optional(fc.constantFrom("", "stunner.l7mp.io", "apps")),
    kind: optional(fc.constantFrom("Service", "StaticService", "Deployment")),
    namespace: optional(fc.constantFrom("testnamespace", "elsewhere")),
    port: optional(fc.integer({ min: 1, max: 65535 })),
    endPort: optional(fc.integer({ min: 1, max: 65535 })),
  })
  .map(defined);

const listener = fc.record({
  name: fc.constantFrom("a", "b", "c", "d"),
  port: fc.integer({ min: 1, max: 4 }),
  protocol: fc.constantFrom("UDP", "TCP", "TURN-UDP", "turn-tcp", "DTLS", "TURN-TLS", "HTTP", "x"),
});

const listeners = fc.uniqueArray(listener, { minLength: 1, maxLength: 4, selector: (one) => one.name });

const cluster: Objects = plus(
  patched(fixture, "Service", { spec: { clusterIP: "10.96.0.1" } }),
  service("other", "None"),
  slice("other", "other", ["10.2.0.1", "10.2.0.2"]),
);

const known = new Set([...podIPs, "10.96.0.1", "10.2.0.1", "10.2.0.2", "10.11.12.13", "10.11.12.14", "10.11.12.15"]);

const isAccepted = (object: AnyObject): boolean => {
  const kind = findKind(object.apiVersion, object.kind);
  return kind !== undefined && "object" in validate(kind, object);
};

describe("rendering", () => {
  it("permits nothing that no backend names", () =>
    fc.assert(
      fc.property(fc.array(backend, { maxLength: 5 }), (backends) => {
        const endpoints = clusterOf(withBackends(backends, cluster))?.endpoints ?? [];
        expect(endpoints.filter((endpoint) => !known.has(endpoint.replace(/:<.*>$/, "")))).toEqual([]);
      }),
    ));

  it("resolves every backend as if it were alone", () =>
    fc.assert(
      fc.property(fc.array(backend, { maxLength: 5 }), (backends) => {
        const alone = backends.flatMap((one) => clusterOf(withBackends([one], cluster))?.endpoints ?? []);
        expect(clusterOf(withBackends(backends, cluster))?.endpoints ?? []).toEqual(alone.toSorted());
      }),
    ));

  it("gives a transport's port to one listener, and none twice to the Service", () =>
    fc.assert(
      fc.property(listeners, fc.boolean(), (some, mixed) => {
        const annotations = { "stunner.l7mp.io/enable-mixed-protocol-lb": String(mixed) };
        const objects = patched(withListeners(some, cluster), "Gateway", { metadata: { annotations } });
        const { config, objects: emitted, listeners: outcomes } = render(objects);
        const slots = (config?.listeners ?? []).map(({ protocol, port }) => `${transportOf(protocol)} ${port}`);
        expect(new Set(slots).size).toBe(slots.length);
        expect(outcomes.filter(({ outcome }) => outcome === "accepted")).toHaveLength(slots.length);
        for (const object of emitted.filter(({ kind }) => kind === "Service")) {
          expect(isAccepted(object)).toBe(true);
          const { ports = [] } =
            (object as { readonly spec?: { readonly ports?: readonly Record<string, unknown>[] } }).spec ?? {};
          const numbers = ports.map((port) => `${String(port["protocol"])} ${String(port["port"])}`);
          expect(new Set(numbers).size).toBe(numbers.length);
        }
      }),
    ));

  it("answers every route that it controls, with as many routes attached as are accepted", () =>
    fc.assert(
      fc.property(
        listeners,
        fc.array(optional(fc.constantFrom("a", "b", "z")), { minLength: 1, maxLength: 3 }),
        (some, sections) => {
          const parentRefs = sections.map((sectionName) => defined({ name: "gateway-1", sectionName }));
          const objects = patched(withListeners(some, cluster), "UDPRoute", { spec: { parentRefs } });
          const { status, outcome } = renderRoute(see(objects), optionsWith(), routeOf(objects));
          expect(status?.parents).toHaveLength(sections.length);
          const isAttached = status?.parents.some(({ conditions }) => conditions[0]?.status === "True");
          expect(outcome).toBe(isAttached ? "attached" : "detached");
          expect(render(objects).config?.clusters !== undefined).toBe(isAttached);
        },
      ),
    ));

  it("does not depend on the order in which objects were seen", () =>
    fc.assert(
      fc.property(fc.shuffledSubarray([...cluster], { minLength: cluster.length }), (shuffled) => {
        expect(JSON.stringify(render(shuffled))).toBe(JSON.stringify(render(cluster)));
      }),
    ));
});
