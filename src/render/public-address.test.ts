import { describe, expect, it } from "vitest";
import {
  configOf,
  fixture,
  optionsWith,
  owned,
  patched,
  plus,
  render,
  withGatewayAnnotations,
  withListeners,
  without,
  type Objects,
  TCP,
  UDP,
} from "../../test/render/fixture.ts";

const published = (objects: Objects, options = optionsWith()): readonly string[] =>
  (configOf(objects, options).listeners ?? []).map(
    ({ public_address, public_port }) => `${public_address ?? "-"}:${public_port ?? "-"}`,
  );

const moreOf = (objects: Objects, options = optionsWith()): readonly unknown[] =>
  (configOf(objects, options).listeners ?? []).map((listener) => listener.more_public_addresses);

const none = ["-:-", "-:-"];
const withIngress = (...ingress: readonly unknown[]): Objects =>
  patched(owned(), "Service", { status: { loadBalancer: { ingress } } });
const udp = { port: 1, protocol: "UDP" };
const tcp = { port: 2, protocol: "TCP" };

const withNodePorts = (objects: Objects): Objects =>
  patched(objects, "Service", {
    spec: {
      type: "NodePort",
      ports: [
        { name: "udp-ok", protocol: "UDP", port: 1, nodePort: 30001 },
        { name: "tcp-ok", protocol: "TCP", port: 2, nodePort: 30002 },
      ],
    },
    status: null,
  });

describe("a load balancer's address", () => {
  it("is taken port by port", () => expect(published(owned())).toEqual(["1.2.3.4:1", "1.2.3.4:2"]));

  it("may be a host name", () => {
    const objects = withIngress({ hostname: "dummy-hostname", ports: [udp, tcp] });
    expect(published(objects)).toEqual(["dummy-hostname:1", "dummy-hostname:2"]);
    expect(render(objects).status.addresses).toEqual([{ type: "Hostname", value: "dummy-hostname" }]);
  });

  it("stands for all ports if it names none", () =>
    expect(published(withIngress({ ip: "1.2.3.4" }))).toEqual(["1.2.3.4:1", "1.2.3.4:2"]));

  it("is the entry that names the port", () =>
    expect(published(withIngress({ ip: "1.2.3.4", ports: [udp] }, { ip: "5.6.7.8", ports: [udp, tcp] }))).toEqual([
      "1.2.3.4:1",
      "5.6.7.8:2",
    ]));

  it("has others beside it, of the entries that lead to the same port", () => {
    const objects = withIngress(
      { ip: "1.2.3.4", ports: [udp] },
      { ip: "2001:db8::1", ports: [udp, tcp] },
      { hostname: "lb.example.org" },
    );
    expect(published(objects)).toEqual(["1.2.3.4:1", "2001:db8::1:2"]);
    expect(moreOf(objects)).toEqual([["2001:db8::1", "lb.example.org"], ["lb.example.org"]]);
    expect(moreOf(objects, { ...optionsWith(), rules: 1 })).toEqual([undefined, undefined]);
    expect(moreOf(withIngress({ ip: "1.2.3.4" }, { ip: "1.2.3.4" }))).toEqual([undefined, undefined]);
  });

  it("may be IPv6", () => expect(published(withIngress({ ip: "2001:db8::1" }))[0]).toBe("2001:db8::1:1"));

  it("does not need a Node", () => expect(published(without(owned(), "Node"))).toEqual(["1.2.3.4:1", "1.2.3.4:2"]));
});

describe("the Service of a Gateway", () => {
  it.each([
    [
      "has no related-gateway-name annotation",
      { annotations: { "stunner.l7mp.io/related-gateway-name": null, dummy: "testnamespace/gateway-1" } },
    ],
    ["names another Gateway", { annotations: { "stunner.l7mp.io/related-gateway-name": "testnamespace/dummy" } }],
    [
      "is owned by an earlier Gateway of the name",
      { ownerReferences: [{ kind: "Gateway", name: "gateway-1", uid: "old" }] },
    ],
  ])("gives no address if it %s", (_, metadata) =>
    expect(published(patched(owned(), "Service", { metadata }))).toEqual(none),
  );

  it("gives no address if it has no owner, not even that of a Node", () =>
    expect(published(withNodePorts(fixture))).toEqual(none));

  it("gives an address to every supported listener beside an unsupported one", () => {
    const listeners = [
      { name: "dummy", port: 1, protocol: "dummy" },
      { name: TCP, port: 2, protocol: "TURN-TCP" },
    ];
    expect(published(withListeners(listeners, owned()))).toEqual(["1.2.3.4:2"]);
  });

  it("gives an address only to listeners whose port it has", () => {
    const ports = [
      { name: UDP, protocol: "UDP", port: 12 },
      { name: TCP, protocol: "TCP", port: 2 },
    ];
    expect(published(patched(owned(), "Service", { spec: { ports } }))).toEqual(["-:-", "1.2.3.4:2"]);
  });

  it("is the load balancer if there are several", () => {
    const second = patched(withNodePorts(owned()), "Service", { metadata: { name: "a-service" } });
    const objects = plus(
      owned(),
      second.find(({ kind }) => kind === "Service"),
    );
    expect(published(objects)).toEqual(["1.2.3.4:1", "1.2.3.4:2"]);
  });

  it("gives the addresses of the Gateway's spec.addresses, the first one as the listener's own", () => {
    const objects = patched(owned(), "Gateway", { spec: { addresses: [{ value: "1.1.1.1" }, { value: "1.2.3.4" }] } });
    expect(published(objects)).toEqual(["1.1.1.1:1", "1.1.1.1:2"]);
    expect(render(objects).status.addresses.map(({ value }) => value)).toEqual(["1.1.1.1", "1.2.3.4"]);
    expect(moreOf(objects)).toEqual([["1.2.3.4"], ["1.2.3.4"]]);
    expect(published(patched(objects, "Service", { metadata: { ownerReferences: null } }))).toEqual(none);
  });

  it("gives none as a mere cluster IP", () =>
    expect(published(patched(owned(), "Service", { spec: { type: "ClusterIP" }, status: null }))).toEqual(none));
});

describe("a Node's address", () => {
  const nodeless = without(withNodePorts(owned()), "Node");
  const node = (name: string, ...addresses: readonly unknown[]): unknown => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name },
    status: { addresses },
  });
  const internal = { type: "InternalIP", address: "10.0.0.1" };

  it("comes with the node port", () =>
    expect(published(withNodePorts(owned()))).toEqual(["1.2.3.4:30001", "1.2.3.4:30002"]));

  it("is that of the first Node with an external address", () => {
    const objects = plus(nodeless, node("a", internal), node("b", { type: "ExternalIP", address: "1.2.3.4" }));
    expect(published(objects)[0]).toBe("1.2.3.4:30001");
  });

  it("may be its external name", () =>
    expect(published(plus(nodeless, node("a", { type: "ExternalDNS", address: "node.example.org" })))[0]).toBe(
      "node.example.org:30001",
    ));

  it.each([
    ["a host name", [{ type: "ExternalDNS", address: "Node1.Example.ORG." }], "Hostname", "node1.example.org"],
    [
      "a host name in the place of an address",
      [{ type: "ExternalIP", address: "node1.example.org" }],
      "Hostname",
      "node1.example.org",
    ],
    [
      "an address in the place of a name",
      [{ type: "ExternalDNS", address: "2001:db8::7" }],
      "IPAddress",
      "2001:db8::7",
    ],
    [
      "the first that can be used",
      [
        { type: "ExternalIP", address: "" },
        { type: "ExternalIP", address: "node_1" },
        { type: "ExternalIP", address: "192.0.2.7" },
      ],
      "IPAddress",
      "192.0.2.7",
    ],
  ])("has the type of what it is: %s", (_, addresses, type, value) =>
    expect(render(plus(nodeless, node("a", internal, ...addresses))).status.addresses).toEqual([{ type, value }]),
  );

  it("is none where no Node reports one that can be used", () =>
    expect(render(plus(nodeless, node("a", { type: "ExternalDNS", address: "node_1" }))).status.addresses).toEqual([]));

  it("is never an internal one", () => expect(published(plus(nodeless, node("a", internal)))).toEqual(none));
});

describe("without a cluster", () => {
  const standalone = optionsWith({ mode: "standalone", relayToClusterIP: false, publicAddress: "192.0.2.1" });

  it("every listener has the public address and the port it listens on", () => {
    const objects = withGatewayAnnotations({ "stunner.l7mp.io/targetport": JSON.stringify({ [TCP]: 22 }) });
    expect(published(objects, standalone)).toEqual(["192.0.2.1:1", "192.0.2.1:22"]);
    const { status, objects: emitted, removals } = render(objects, standalone);
    expect(status.conditions[1]?.status).toBe("True");
    expect(status.addresses).toEqual([{ type: "IPAddress", value: "192.0.2.1" }]);
    expect([emitted, removals]).toEqual([[], []]);
  });

  it("a public address may be a name", () =>
    expect(render(fixture, { ...standalone, publicAddress: "turn.example.org" }).status.addresses).toEqual([
      { type: "Hostname", value: "turn.example.org" },
    ]));
});
