import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Admission } from "../admission/admission.ts";
import { hostAt } from "../admission/own-host.ts";
import type { AdmissionTransition } from "../admission/transition.ts";
import { base, changes, names } from "../../test/support/changes.ts";
import { createHistory, gone, seen, synced, type History } from "../../test/support/given.ts";
import { aCall, gateway, route, slice } from "../../test/support/objects.ts";
import type { Fact } from "../journal/fact.ts";
import type { GatewayChange } from "./fold.ts";
import type { Name } from "../resources/keys.ts";

const GATEWAY = "ns/gw" as Name;
const udp = (port: number) => ({ name: "udp", port, protocol: "TURN-UDP" });

/** What the folds of `history` change, from here on. */
const foldsOf = (history: History) => {
  const changes: GatewayChange[] = [];
  const fold = history.core.fold.bind(history.core);
  history.core.fold = (time) => {
    const folded = fold(time);
    changes.push(...folded.changes);
    return folded;
  };
  return { changes };
};

/** Each gateway's admission as the steps lead to it, and the steps that do not follow the one before. */
const follow = (changes: readonly GatewayChange[]) => {
  const admissions = new Map<Name, { readonly revision: number; readonly admission: Admission }>();
  const gaps: string[] = [];
  for (const { gateway, admission: step } of changes) {
    if (step === undefined) throw new Error("no relay is said to take them");
    const { revision, admission } = admissions.get(gateway) ?? { revision: 0, admission: new Admission(hostAt([])) };
    if (step.from !== revision) gaps.push(`${gateway}: at ${revision}, step from ${step.from}`);
    admission.apply(step.transitions);
    admissions.set(gateway, { revision: step.to, admission });
  }
  return { admissions, gaps };
};

const endpointsOf = (admission: Admission | undefined, cluster: string) =>
  Object.fromEntries(
    Array.from(admission?.endpoints(cluster) ?? [], ([endpoint, { draining }]) => [endpoint, draining]),
  );

describe("the steps of admission", () => {
  it("lead, whatever happened, to what the last config admits", () => {
    fc.assert(
      fc.property(fc.array(changes, { minLength: 1, maxLength: 6 }), (rounds) => {
        const history = createHistory();
        const folds = foldsOf(history);
        history.take(...base);
        for (const facts of rounds) history.take(...facts);
        const { admissions, gaps } = follow(folds.changes);
        for (const name of names) {
          const gateway = `ns/${name}` as Name;
          const rendered = history.core.rendered(gateway);
          const admission = admissions.get(gateway)?.admission;
          const clusters = rendered?.config?.clusters ?? [];
          const wanted = clusters.map(({ name: cluster, endpoints = [] }) => [
            cluster,
            Object.fromEntries(
              endpoints.map((endpoint) => [endpoint, rendered?.draining[cluster]?.includes(endpoint) ?? false]),
            ),
          ]);
          const filled = wanted.filter(([, endpoints]) => Object.keys(endpoints as object).length > 0);
          expect([...(admission?.clusters() ?? [])].toSorted()).toEqual(filled.map(([cluster]) => cluster).toSorted());
          for (const [cluster, endpoints] of filled)
            expect(endpointsOf(admission, cluster as string)).toEqual(endpoints);
        }
        expect(gaps).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a transition of admission", () => {
  /** What the fold of `facts` changes for the gateway, after a call to Service `media` was set up, by 7 facts. */
  const after = (...facts: readonly Fact[]): readonly AdmissionTransition[] => {
    const history = createHistory();
    history.take(...aCall(["10.0.0.1", "10.0.0.2"]), synced);
    const { changes } = foldsOf(history);
    history.take(...facts);
    return changes.flatMap(({ gateway, admission }) => (gateway === GATEWAY ? (admission?.transitions ?? []) : []));
  };
  const listed = (...addresses: readonly string[]) => seen("EndpointSlice", slice("media-1", "media", addresses));
  const cause = expect.any(Number);
  const of = (endpoint: string, from: string, to: string) => ({ entity: `ns/media#${endpoint}`, from, to });

  it("names the endpoint whose pod is terminating", () =>
    expect(after(listed("10.0.0.1", "!10.0.0.2"))).toEqual([
      {
        change: "drain",
        cluster: "ns/r",
        endpoint: "10.0.0.2",
        cause,
        because: of("10.0.0.2", "active", "terminating"),
      },
    ]));

  it("names the endpoint that is gone, and the fact that said so, whatever else changed with it", () => {
    const [revoked] = after(listed("10.0.0.1"), seen("Gateway", gateway("gw", [udp(9)])));
    expect(revoked).toMatchObject({
      change: "revoke",
      endpoint: "10.0.0.2",
      because: of("10.0.0.2", "active", "gone"),
    });
    const [alone] = after(listed("10.0.0.1"));
    expect(revoked?.cause).toBe(alone?.cause);
  });

  it("names the endpoints of a route that is deleted: with it they are nobody's", () =>
    expect(after(gone("UDPRoute", "ns/r"))).toEqual(
      ["10.0.0.1", "10.0.0.2"].map((endpoint) => ({
        change: "revoke",
        cluster: "ns/r",
        endpoint,
        cause,
        because: of(endpoint, "active", "gone"),
      })),
    ));

  it("names no endpoint where a route limits its ports: the endpoint stays", () => {
    const limited = route("r", ["gw"], ["media"]);
    const [rule] = limited.spec.rules;
    const backendRefs = rule!.backendRefs!.map((backend) => ({ ...backend, port: 7000, endPort: 8000 }));
    expect(after(seen("UDPRoute", { ...limited, spec: { ...limited.spec, rules: [{ backendRefs }] } }))).toEqual([
      ...["10.0.0.1", "10.0.0.2"].map((endpoint) => ({ change: "revoke", cluster: "ns/r", endpoint, cause })),
      ...["10.0.0.1", "10.0.0.2"].map((endpoint) => ({
        change: "admit",
        cluster: "ns/r",
        endpoint: `${endpoint}:<7000-8000>`,
        cause,
      })),
    ]);
  });
});
