import { describe, expect, it } from "vitest";
import {
  configOf,
  fixture,
  optionsWith,
  plus,
  withGatewayAnnotations,
  type Objects,
} from "../../test/render/fixture.ts";

interface Pod {
  readonly node: number;
  readonly ready?: boolean | null;
  readonly terminating?: boolean;
  /** Of the pod; by default it is in the network of its node. */
  readonly address?: string;
}

const node = (number: number, ...external: readonly string[]): unknown => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: `n${number}` },
  status: {
    addresses: [
      { type: "InternalIP", address: `10.0.0.${number}` },
      ...external.map((address) => ({ type: "ExternalIP", address })),
    ],
  },
});

const slice = (pods: readonly Pod[]): unknown => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    name: "gateway-1-x",
    namespace: "testnamespace",
    labels: { "kubernetes.io/service-name": "gateway-1" },
  },
  addressType: "IPv4",
  endpoints: pods.map(({ node: number, ready = true, terminating = false, address = `10.0.0.${number}` }) => ({
    addresses: [address],
    nodeName: `n${number}`,
    conditions: { ready, serving: true, terminating },
  })),
});

const open = withGatewayAnnotations({ "stunner.l7mp.io/enable-relay-address-discovery": "true" });
const withPods = (pods: readonly Pod[], objects: Objects = open): Objects =>
  plus(
    objects,
    node(1, "203.0.113.1", "203.0.113.9", "2001:db8::1"),
    node(2, "203.0.113.2"),
    node(3, "203.0.113.3"),
    node(4),
    slice(pods),
  );
const nodesOf = (pods: readonly Pod[], objects?: Objects, options = optionsWith()): readonly string[] | undefined =>
  configOf(withPods(pods, objects), options).alternates?.map(({ node: name }) => name);

describe("the alternates of a public Gateway", () => {
  it("are its nodes, sorted, with the first external address of each family", () =>
    expect(configOf(withPods([{ node: 2 }, { node: 1, ready: null }])).alternates).toEqual([
      { node: "n1", addresses: ["203.0.113.1", "2001:db8::1"] },
      { node: "n2", addresses: ["203.0.113.2"] },
    ]));

  it("are none whose pod is not ready or ends, even if its next pod is ready", () => {
    expect(nodesOf([{ node: 1 }, { node: 2, ready: false }, { node: 3 }])).toEqual(["n1", "n3"]);
    const ending = { ready: false, terminating: true };
    expect(nodesOf([{ node: 1 }, { node: 2, ...ending }, { node: 2 }, { node: 3, ...ending }])).toEqual(["n1"]);
  });

  it("are none without an external address, and none whose pod has a network of its own", () =>
    expect(nodesOf([{ node: 1 }, { node: 2, address: "10.244.0.7" }, { node: 4 }, { node: 5 }])).toEqual(["n1"]));

  it("are one more than a dataplane gets, so that each gets as many", () => {
    const many = Array.from({ length: 20 }, (_, place) => place + 10);
    const objects = plus(open, ...many.map((number) => node(number, `203.0.113.${number}`)));
    expect(
      nodesOf(
        many.map((number) => ({ node: number })),
        objects,
      ),
    ).toEqual(many.slice(0, 9).map((number) => `n${number}`));
  });

  it("are absent of other Gateways, and in logs of earlier rules", () => {
    expect(nodesOf([{ node: 1 }], fixture)).toBeUndefined();
    expect(nodesOf([{ node: 1 }], open, optionsWith({ rules: 3 }))).toBeUndefined();
    expect(nodesOf([{ node: 1, ready: false }])).toBeUndefined();
  });
});
