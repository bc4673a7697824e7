/** Any history of a small world, for properties. */
import fc from "fast-check";
import type { Fact } from "../../src/journal/fact.ts";
import type { CertificateState, Secret } from "../../src/resources/core.ts";
import type { Name } from "../../src/resources/keys.ts";
import { gone, seen, synced } from "./given.ts";
import {
  gateway,
  gatewayApiRoute,
  gatewayClass,
  gatewayConfig,
  referenceGrant,
  route,
  service,
  slice,
} from "./objects.ts";

export const names = ["a", "b", "c"] as const;
const addresses = ["10.0.0.1", "!10.0.0.2", "10.0.0.3", "!10.0.0.1"] as const;

const validities: readonly CertificateState[] = [
  { parses: true, notAfter: "2030-01-01T00:00:00.000Z" },
  { parses: true, matchesKey: false, problem: "key-mismatch" },
  { parses: true, notAfter: "2020-01-01T00:00:00.000Z", validity: "expired" },
];

const certificate = (name: string, version: number, state: CertificateState): Secret => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: "ns" },
  data: { "tls.crt": `vault:cert-${name}-${version}`, "tls.key": `vault:key-${name}-${version}` },
  certificate: state,
});

const plainChange: fc.Arbitrary<Fact> = fc.oneof(
  fc
    .tuple(fc.constantFrom(...names), fc.shuffledSubarray([...addresses]))
    .map(([name, list]) => seen("EndpointSlice", slice(`${name}-1`, name, list))),
  fc.constantFrom(...names).map((name) => gone("EndpointSlice", `ns/${name}-1`)),
  fc
    .tuple(fc.constantFrom(...names), fc.subarray([...names]), fc.subarray([...names], { minLength: 1 }))
    .map(([name, parents, services]) => seen("UDPRoute", route(name, parents, services))),
  fc.constantFrom(...names).map((name) => gone("UDPRoute", `ns/${name}`)),
  fc
    .tuple(fc.constantFrom(...names), fc.subarray([...names]), fc.subarray(["far/a", "far/b", "c"], { minLength: 1 }))
    .map(([name, parents, services]) => seen("GatewayUDPRoute", gatewayApiRoute(name, parents, services))),
  fc
    .constantFrom(...names)
    .map((name) => seen("EndpointSlice", slice(`${name}-1`, name, [`10.9.0.${names.indexOf(name) + 1}`], "far"))),
  fc.constantFrom(undefined, ...names).map((name) => seen("ReferenceGrant", referenceGrant("far", name))),
  fc.constant(gone("ReferenceGrant", "far/grant")),
  fc
    .tuple(fc.constantFrom(...names), fc.integer({ min: 1, max: 9 }))
    .map(([name, port]) => seen("Gateway", gateway(name, [{ name: "udp", port, protocol: "TURN-UDP" }]))),
  fc.constantFrom(...names).map((name) => gone("Gateway", `ns/${name}`)),
  fc.constantFrom(...names).map((name) => seen("Service", service(name))),
  fc.constantFrom(...names).map((name) => gone("Service", `ns/${name}`)),
  fc
    .constantFrom("one", "two")
    .map((password) => seen("GatewayConfig", gatewayConfig({ password: `vault:${password}` }))),
  fc.constant(gone("GatewayConfig", "ns/config")),
  fc
    .constantFrom("example.org/another", gatewayClass.spec.controllerName)
    .map((controllerName) => seen("GatewayClass", { ...gatewayClass, spec: { ...gatewayClass.spec, controllerName } })),
  fc
    .constantFrom(...names)
    .map((name): Fact => ({ type: "gateway.removed", data: { gateway: `ns/${name}` as Name, allocations: 0 } })),
);

/** What a TLS or DTLS listener serves depends on what it has served before, and so on every step on the way. */
const certificateChange: fc.Arbitrary<Fact> = fc.oneof(
  fc
    .tuple(fc.constantFrom(...names), fc.constantFrom("TURN-TLS", "TURN-DTLS"), fc.subarray([...names]))
    .map(([name, protocol, secrets]) => {
      const tls = { certificateRefs: secrets.map((secret) => ({ name: secret })) };
      return seen("Gateway", gateway(name, [{ name: "tls", port: 443, protocol, tls }]));
    }),
  fc
    .tuple(fc.constantFrom(...names), fc.nat({ max: 1 }), fc.constantFrom(...validities))
    .map((certificateOf) => seen("Secret", certificate(...certificateOf))),
  fc.constantFrom(...names).map((name) => gone("Secret", `ns/${name}`)),
);

/** Any sequence of changes to a small world whose state follows from its objects. */
export const changes = fc.array(plainChange, { maxLength: 40 });

/** Any sequence of changes, those of certificates included. */
export const changesWithCertificates = fc.array(fc.oneof({ weight: 3, arbitrary: plainChange }, certificateChange), {
  maxLength: 40,
});

/** What every such world begins with. */
export const base: readonly Fact[] = [
  seen("GatewayClass", gatewayClass),
  seen("GatewayConfig", gatewayConfig()),
  synced,
];
