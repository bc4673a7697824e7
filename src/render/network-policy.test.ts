import { describe, expect, it } from "vitest";
import {
  fixture,
  patched,
  plus,
  render,
  withBackends,
  withGatewayAnnotations,
  without,
  type Objects,
} from "../../test/render/fixture.ts";
import { defaultOptions } from "../../test/render/view.ts";
import type { KubernetesObject } from "../resources/core.ts";
import type { RenderOptions } from "../resources/view.ts";

const KEY = "turnpike.dev/network-policy";
const enabled = (objects: Objects = fixture): Objects =>
  withGatewayAnnotations({ [KEY]: "enabled" }, patched(objects, "Dataplane", { spec: { hostNetwork: false } }));
const withSelector = (selector: unknown, ports: readonly unknown[] = []): Objects =>
  patched(fixture, "Service", { spec: { selector, ...(ports.length === 0 ? {} : { ports }) } });

interface Rule {
  readonly to?: readonly unknown[];
  readonly ports: readonly unknown[];
}
type Policy = KubernetesObject & { readonly spec: { readonly egress: readonly Rule[] } };

const policyOf = (objects: Objects, options?: RenderOptions): Policy | undefined =>
  render(objects, options).objects.find(({ kind }) => kind === "NetworkPolicy") as Policy | undefined;
/** Behind two for DNS and one for config discovery. */
const rulesOf = (objects: Objects, options?: RenderOptions): readonly Rule[] | undefined =>
  policyOf(objects, options)?.spec.egress.slice(3);
const accepted = (objects: Objects): string =>
  render(objects).status.conditions.find(({ type }) => type === "Accepted")?.message ?? "";

const expression = (key: string, value: string) => ({ key, operator: "In", values: [value] });
const pods = (key: string, value: string) => ({
  namespaceSelector: { matchExpressions: [expression("kubernetes.io/metadata.name", "testnamespace")] },
  podSelector: { matchExpressions: [expression(key, value)] },
});
const block = (cidr: string) => ({ ipBlock: { cidr } });
const udp = (port: number, endPort = port) => ({ protocol: "UDP", port, endPort });
const tcp = (port: number, endPort = port) => ({ protocol: "TCP", port, endPort });
const EVERY = udp(1, 65_535);

describe("the NetworkPolicy of a Gateway", () => {
  it("is made only if the Gateway itself asks for it", () => {
    expect(policyOf(fixture)).toBeUndefined();
    expect(
      policyOf(patched(fixture, "GatewayConfig", { spec: { loadBalancerServiceAnnotations: { [KEY]: "enabled" } } })),
    ).toBeUndefined();
    expect(policyOf(enabled())).toMatchObject({
      apiVersion: "networking.k8s.io/v1",
      metadata: {
        name: "gateway-1",
        namespace: "testnamespace",
        labels: { "stunner.l7mp.io/owned-by": "stunner", "stunner.l7mp.io/related-gateway-name": "gateway-1" },
        ownerReferences: [{ kind: "Gateway", name: "gateway-1", uid: "gateway-uid" }],
      },
      spec: {
        podSelector: {
          matchExpressions: [
            expression("app", "stunner"),
            expression("stunner.l7mp.io/related-gateway-name", "gateway-1"),
            expression("stunner.l7mp.io/related-gateway-namespace", "testnamespace"),
          ],
        },
        policyTypes: ["Egress"],
      },
    });
  });

  it("lets the pods resolve names, and fetch their config", () => {
    const egress = (discoveryAddress: string) =>
      policyOf(enabled(), { ...defaultOptions, discoveryAddress })?.spec.egress.slice(0, 3);
    const dns = [{ ports: [udp(53), udp(5353)] }, { ports: [tcp(53), tcp(5353)] }];
    const operator = {
      namespaceSelector: {},
      podSelector: { matchExpressions: [expression("stunner.l7mp.io/config-discovery-service", "enabled")] },
    };
    expect(egress("turnpike.turnpike-system.svc:8080")).toEqual([
      ...dns,
      { to: [operator], ports: [tcp(8080), tcp(13_478)] },
    ]);
    expect(egress("turnpike.turnpike-system.svc.cluster.local")).toEqual([
      ...dns,
      { to: [operator], ports: [tcp(13_478)] },
    ]);
    expect(egress("10.0.0.1:13478")).toEqual([...dns, { to: [block("10.0.0.1/32")], ports: [tcp(13_478)] }]);
    expect(egress("[fd00::1]:13478")).toEqual([...dns, { to: [block("fd00::1/128")], ports: [tcp(13_478)] }]);
    expect(egress("operator.example.org:13478")).toEqual([...dns, { ports: [tcp(13_478)] }]);
  });

  it("names the pods of a Service by its selector, or by their addresses if it has none", () => {
    expect(rulesOf(enabled(withSelector({ app: "sfu" })))).toEqual([{ to: [pods("app", "sfu")], ports: [EVERY] }]);
    const addresses = ["1.2.3.4", "1.2.3.5", "1.2.3.6", "1.2.3.7"].map((address) => block(`${address}/32`));
    expect(rulesOf(enabled())).toEqual([{ to: addresses, ports: [EVERY] }]);
  });

  it("names a cluster IP that clients may reach, and the ports that it leads to", () => {
    const options = { ...defaultOptions, relayToClusterIP: true };
    const service = patched(
      withSelector({ app: "sfu" }, [
        { protocol: "UDP", port: 9000, targetPort: 19_000 },
        { protocol: "UDP", port: 9001, targetPort: "media" },
        { protocol: "UDP", port: 9002, targetPort: 9003 },
        { protocol: "UDP", port: 8000, targetPort: 18_000 },
        { protocol: "TCP", port: 9004, targetPort: 17_000 },
      ]),
      "Service",
      { spec: { clusterIP: "10.96.0.1" } },
    );
    const ranged = withBackends([{ name: "testservice-ok", port: 9000, endPort: 9010 }], service);
    expect(rulesOf(enabled(ranged), options)).toEqual([
      {
        to: [pods("app", "sfu"), block("10.96.0.1/32")],
        ports: [udp(9000, 9010), udp(19_000), { protocol: "UDP", port: "media" }],
      },
    ]);
    const headless = patched(service, "Service", { spec: { clusterIP: "None" } });
    expect(rulesOf(enabled(headless), options)?.[0]?.to).toEqual([pods("app", "sfu")]);
  });

  it("names the prefixes of a StaticService, with the ports of its route", () => {
    const backend = { group: "stunner.l7mp.io", kind: "StaticService", name: "teststaticservice-ok", port: 5000 };
    const prefixes = ["10.11.12.13", "10.12.0.0/16", "fd00::7"];
    const objects = patched(withBackends([backend, backend]), "StaticService", { spec: { prefixes } });
    expect(rulesOf(enabled(objects))).toEqual([
      { to: [block("10.11.12.13/32"), block("10.12.0.0/16"), block("fd00::7/128")], ports: [udp(5000)] },
    ]);
  });

  it("has no rule, which would allow everything, for a backend without peers", () => {
    const external = patched(fixture, "Service", { spec: { type: "ExternalName", externalName: "example.org" } });
    expect(rulesOf(enabled(external))).toEqual([]);
    expect(rulesOf(enabled(withBackends([{ name: "missing" }])))).toEqual([]);
    expect(rulesOf(enabled(without(fixture, "UDPRoute")))).toEqual([]);
    expect(rulesOf(enabled(withBackends([{ name: "testservice-ok", port: 70_000 }])))).toEqual([]);
  });

  it("lets listeners reach the web servers that share their port", () => {
    const web = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web", namespace: "testnamespace" },
      spec: { selector: { app: "web" }, clusterIP: "10.96.0.2", ports: [{ port: 80, targetPort: 8080 }] },
    };
    const objects = without(plus(fixture, web), "UDPRoute");
    const shared = patched(enabled(objects), "Gateway", {
      metadata: { annotations: { "turnpike.dev/http-backends": '{"gateway-1-listener-tcp": "web:80"}' } },
    });
    expect(rulesOf(shared)).toEqual([{ to: [pods("app", "web"), block("10.96.0.2/32")], ports: [tcp(80), tcp(8080)] }]);
  });

  it("is not made where it would not apply, and the Gateway's status says so", () => {
    const hostNetwork = withGatewayAnnotations({ [KEY]: "enabled" });
    expect(policyOf(hostNetwork)).toBeUndefined();
    expect(accepted(hostNetwork)).toContain(
      `${KEY} has no effect: NetworkPolicies do not apply to pods with hostNetwork`,
    );
    const unmanaged = patched(enabled(), "Gateway", {
      metadata: { annotations: { "stunner.l7mp.io/disable-managed-dataplane": "true" } },
    });
    expect(policyOf(unmanaged)).toBeUndefined();
    expect(accepted(unmanaged)).toContain(`${KEY} has no effect: the dataplane is not managed by Turnpike`);
    const misspelt = withGatewayAnnotations({ [KEY]: "true" }, enabled());
    expect(policyOf(misspelt)).toBeUndefined();
    expect(accepted(misspelt)).toContain(`${KEY} is "true", and may be enabled`);
    expect(accepted(enabled())).not.toContain(KEY);
  });

  it("is removed if it is ours and no longer wanted, and blocks the Gateway if it is of another owner", () => {
    const existing = (labels: Readonly<Record<string, string>>) => ({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "gateway-1", namespace: "testnamespace", labels },
    });
    const removal = { kind: "NetworkPolicy", name: "testnamespace/gateway-1" };
    const ours = existing({ "stunner.l7mp.io/owned-by": "stunner" });
    expect(render(plus(fixture, ours)).removals).toContainEqual(removal);
    expect(render(fixture).removals).not.toContainEqual(removal);
    expect(render(plus(without(fixture, "GatewayConfig"), ours)).objects).toEqual([]);
    const theirs = plus(enabled(), existing({}));
    expect(render(theirs).removals).not.toContainEqual(removal);
    expect(policyOf(theirs)).toBeUndefined();
    const programmed = render(theirs).status.conditions.find(({ type }) => type === "Programmed");
    expect(programmed).toMatchObject({
      status: "False",
      message: expect.stringContaining(
        "a NetworkPolicy named testnamespace/gateway-1 exists and is not managed by Turnpike",
      ) as string,
    });
  });
});
