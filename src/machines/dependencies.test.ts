import { describe, expect, it } from "vitest";
import { gateway, gatewayApiRoute, referenceGrant, route, service } from "../../test/support/objects.ts";
import { nameOfObject, type Name } from "../resources/keys.ts";
import type { AnyObject, KindId } from "../resources/kinds.ts";
import { dependantsOf } from "./dependencies.ts";
import { createObjects } from "./objects.ts";

const tls = (namespace?: string) => [
  {
    name: "tls",
    port: 443,
    protocol: "TURN-TLS",
    tls: { certificateRefs: [{ name: "cert", ...(namespace === undefined ? {} : { namespace }) }] },
  },
];

describe("a ReferenceGrant", () => {
  const objects = createObjects();
  const known: readonly (readonly [KindId, AnyObject])[] = [
    ["Gateway", gateway("of-routes")],
    ["Gateway", gateway("of-the-rest")],
    ["Gateway", gateway("with-its-certificate", tls("far"))],
    ["Gateway", gateway("with-its-own-certificate", tls())],
    ["GatewayUDPRoute", gatewayApiRoute("into-it", ["of-routes"], ["near", "far/media"])],
    ["GatewayUDPRoute", gatewayApiRoute("into-another", ["of-the-rest"], ["third/media"])],
    ["GatewayUDPRoute", gatewayApiRoute("at-home", ["of-the-rest", "with-its-certificate"], ["ns/media", "media"])],
    ["UDPRoute", route("native", ["of-the-rest"], ["media"])],
    ["ReferenceGrant", referenceGrant("far")],
    ["ReferenceGrant", referenceGrant("third")],
  ];
  for (const [kind, object] of known) objects.put(kind, nameOfObject(kind, object), object);

  it.each([["seen", referenceGrant("far")] as const, ["gone", undefined] as const])(
    "%s concerns what refers into its namespace, and nothing else",
    (_, object) => {
      const name = "far/grant" as Name;
      const before = objects.put("ReferenceGrant", name, object);
      const { gateways, routes, classes } = dependantsOf(objects, "ReferenceGrant", name, before);
      expect([...routes]).toEqual(["GatewayUDPRoute/ns/into-it"]);
      expect([...gateways].toSorted()).toEqual(["ns/of-routes", "ns/with-its-certificate"]);
      expect([...classes]).toEqual([]);
    },
  );
});

describe("an object of a Gateway's name", () => {
  const name = "ns/gw" as Name;
  const metadata = { name: "gw", namespace: "ns" };
  const labels = { "stunner.l7mp.io/owned-by": "stunner" };
  const workload = (kind: string, more = {}) =>
    ({ apiVersion: "apps/v1", kind, metadata: { ...metadata, ...more } }) as AnyObject;

  it.each([
    ["Deployment", workload("Deployment"), workload("Deployment", { labels })],
    ["DaemonSet", workload("DaemonSet"), workload("DaemonSet", { labels })],
    ["Service", service("gw"), { ...service("gw"), metadata: { ...metadata, labels } }],
  ] as const)("concerns it when it begins or ends to be in its way: a %s", (kind, foreign, ours) => {
    const objects = createObjects();
    objects.put("Gateway", name, gateway("gw"));
    const concerned = (object: AnyObject | undefined): boolean =>
      dependantsOf(objects, kind, name, objects.put(kind, name, object)).gateways.has(name);
    expect([foreign, foreign, ours, ours, undefined, foreign, undefined].map(concerned)).toEqual([
      true,
      false,
      true,
      false,
      false,
      true,
      true,
    ]);
  });
});
