/** `npm run bench:checks`: the time of one admission check among 50,000 endpoints, and of one schema check of a slice. */
import { parseIp } from "../../src/net/ip.ts";
import { Admission } from "../../src/admission/admission.ts";
import { hostAt } from "../../src/admission/own-host.ts";
import { findKind } from "../../src/resources/kinds.ts";
import { validate } from "../../src/resources/schema.ts";

/** Microseconds of one call, the best of five rounds. */
const microsecondsOf = (calls: number, work: () => void): number =>
  Math.min(
    ...Array.from({ length: 5 }, () => {
      const began = performance.now();
      for (let call = 0; call < calls; call++) work();
      return ((performance.now() - began) * 1000) / calls;
    }),
  );
const print = (what: string, microseconds: number): void =>
  console.log(`${what.padEnd(44)} ${microseconds.toFixed(2)} µs`);

const admission = new Admission(hostAt([]));
admission.apply(
  Array.from({ length: 50_000 }, (_, n) => ({
    change: "admit" as const,
    cluster: "ns/r",
    endpoint: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`,
  })),
);
const peer = parseIp("10.0.100.7");
const routes = new Set(["ns/r"]);
if (peer === undefined || !admission.check("ns/gw/l", routes, peer, 80).admitted)
  throw new Error("the peer is not admitted");
print(
  "admission check among 50,000 endpoints",
  microsecondsOf(100_000, () => admission.check("ns/gw/l", routes, peer, 80)),
);

const kind = findKind("discovery.k8s.io/v1", "EndpointSlice");
if (kind === undefined) throw new Error("EndpointSlice is not a known kind");
const slice = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "x", namespace: "n" },
  addressType: "IPv4",
  endpoints: Array.from({ length: 50 }, (_, n) => ({ addresses: [`10.0.0.${n}`], conditions: { ready: true } })),
};
if ("problems" in validate(kind, slice)) throw new Error("the slice is rejected");
print(
  "schema check of a slice of 50 endpoints",
  microsecondsOf(1000, () => validate(kind, slice)),
);
