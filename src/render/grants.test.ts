import { describe, expect, it } from "vitest";
import {
  TCP,
  UDP,
  clusterOf,
  fixture,
  gatewayApiRoute,
  optionsWith,
  plus,
  podIPs,
  referenceGrant,
  render,
  routeOf,
  secret,
  see,
  service,
  slice,
  withBackends,
  withListeners,
  without,
  type Objects,
} from "../../test/render/fixture.ts";
import { renderRoute } from "./render.ts";

const podsOnly = optionsWith({ relayToClusterIP: false });
const strict = optionsWith({ relayToClusterIP: false, requireReferenceGrants: true });
const farIP = "10.2.0.1";

const routes = { group: "gateway.networking.k8s.io", kind: "UDPRoute", namespace: "testnamespace" };
const nativeRoutes = { ...routes, group: "stunner.l7mp.io" };
const gateways = { ...routes, kind: "Gateway" };
const services = { group: "", kind: "Service" };
const secrets = { group: "", kind: "Secret" };

const near = { name: "testservice-ok", port: 1 };
const far = { name: "far", namespace: "elsewhere", port: 1 };

/** The fixture, and a Service in another namespace. */
const world = plus(fixture, service("far", "None", "elsewhere"), slice("far-1", "far", [farIP], "elsewhere"));

const withGatewayApiRoute = (backendRefs: readonly unknown[], ...grants: readonly unknown[]): Objects =>
  plus(
    without(world, "UDPRoute"),
    gatewayApiRoute("udproute-ok", { parentRefs: [{ name: "gateway-1" }], rules: [{ backendRefs }] }),
    ...grants,
  );

const withNativeRoute = (...grants: readonly unknown[]): Objects =>
  plus(withBackends([{ name: "far", namespace: "elsewhere" }], world), ...grants);

const resolution = (objects: Objects, options = podsOnly): string => {
  const { status } = renderRoute(see(objects, options), options, routeOf(objects));
  const { status: value, reason } =
    status?.parents[0]?.conditions.find((condition) => condition.type === "ResolvedRefs") ?? {};
  return `${value}/${reason}`;
};

/** The permitted peers, and what the route says of its references. */
const outcome = (objects: Objects, options = podsOnly): readonly [readonly string[], string] => [
  clusterOf(objects, options)?.endpoints ?? [],
  resolution(objects, options),
];

const granted = [[farIP], "True/ResolvedRefs"];
const refused = [[], "False/RefNotPermitted"];

describe("a Gateway API route to a Service of another namespace", () => {
  it("is not permitted without a grant", () => {
    expect(outcome(withGatewayApiRoute([far]))).toEqual(refused);
  });

  it("is permitted by a grant for the kind", () => {
    expect(outcome(withGatewayApiRoute([far], referenceGrant(routes, services, "elsewhere")))).toEqual(granted);
  });

  it("is permitted by a grant for this one Service", () => {
    const grant = referenceGrant(routes, { ...services, name: "far" }, "elsewhere");
    expect(outcome(withGatewayApiRoute([far], grant))).toEqual(granted);
  });

  it("is permitted by any entry of any grant of the namespace", () => {
    const other = referenceGrant({ ...routes, kind: "TCPRoute" }, services, "elsewhere", "a");
    const both = {
      ...(referenceGrant(routes, services, "elsewhere", "b") as object),
      spec: {
        from: [{ ...routes, namespace: "third" }, routes],
        to: [{ ...services, name: "near" }, services],
      },
    };
    expect(outcome(withGatewayApiRoute([far], other, both))).toEqual(granted);
  });

  it.each([
    ["for routes of a third namespace", { ...routes, namespace: "third" }, services, "elsewhere"],
    ["for routes of another kind", { ...routes, kind: "TCPRoute" }, services, "elsewhere"],
    ["for routes of another group", nativeRoutes, services, "elsewhere"],
    ["to another kind", routes, secrets, "elsewhere"],
    ["to the kind of another group", routes, { ...services, group: "serving.knative.dev" }, "elsewhere"],
    ["to a Service of another name", routes, { ...services, name: "near" }, "elsewhere"],
    ["that stands in the route's namespace", routes, services, "testnamespace"],
    ["that stands in a third namespace", routes, services, "third"],
  ])("is not permitted by a grant %s", (_, from, to, namespace) => {
    expect(outcome(withGatewayApiRoute([far], referenceGrant(from, to, namespace)))).toEqual(refused);
  });

  it("is not permitted by the halves of two grants", () => {
    const wrongTo = referenceGrant(routes, secrets, "elsewhere", "a");
    const wrongFrom = referenceGrant(gateways, services, "elsewhere", "b");
    expect(outcome(withGatewayApiRoute([far], wrongTo, wrongFrom))).toEqual(refused);
  });

  it("leaves the other backends as they are", () => {
    expect(outcome(withGatewayApiRoute([far, near]))).toEqual([podIPs, "False/RefNotPermitted"]);
  });

  it("does not tell whether the Service exists", () => {
    const objects = withGatewayApiRoute([{ ...far, name: "absent" }]);
    const { why } = renderRoute(see(objects), podsOnly, routeOf(objects));
    expect(why).toBe("no ReferenceGrant lets the route refer to Service elsewhere/absent");
  });

  it("is not named by its DNS name either", () => {
    const named = optionsWith({ endpointDiscovery: false });
    expect(outcome(withGatewayApiRoute([far]), named)).toEqual(refused);
    expect(outcome(withGatewayApiRoute([far, near]), named)[0]).toEqual([
      "testservice-ok.testnamespace.svc.cluster.local",
    ]);
  });

  it("needs no grant where the namespace is its own", () => {
    const own = { ...near, namespace: "testnamespace" };
    expect(outcome(withGatewayApiRoute([own]), strict)).toEqual([podIPs, "True/ResolvedRefs"]);
  });
});

describe("a native route to a Service of another namespace", () => {
  it("needs no grant by default", () => {
    expect(outcome(withNativeRoute())).toEqual(granted);
  });

  it("needs one where grants are required", () => {
    expect(outcome(withNativeRoute(), strict)).toEqual(refused);
    expect(outcome(withNativeRoute(referenceGrant(routes, services, "elsewhere")), strict)).toEqual(refused);
    expect(outcome(withNativeRoute(referenceGrant(nativeRoutes, services, "elsewhere")), strict)).toEqual(granted);
  });
});

describe("a certificate of another namespace", () => {
  const tls = (...certificateRefs: readonly { name: string; namespace?: string }[]): Objects =>
    withListeners(
      [
        { name: UDP, port: 1, protocol: "TURN-UDP" },
        { name: TCP, port: 2, protocol: "TURN-TLS", tls: { mode: "Terminate", certificateRefs } },
      ],
      plus(fixture, secret("far-cert", { "tls.crt": "far", "tls.key": "far" }, undefined, "elsewhere")),
    );
  const reference = { name: "far-cert", namespace: "elsewhere" };

  const served = (objects: Objects, options = strict): readonly unknown[] => {
    const { config, status } = render(objects, options);
    const { reason } = status.listeners[1]?.conditions.find(({ type }) => type === "ResolvedRefs") ?? {};
    return [config?.listeners?.length, config?.listeners?.[1]?.cert, reason];
  };

  it("needs no grant by default", () => {
    expect(served(tls(reference), podsOnly)).toEqual([2, "far", "ResolvedRefs"]);
  });

  it("leaves its listener out without a grant where grants are required", () => {
    expect(served(tls(reference))).toEqual([1, undefined, "RefNotPermitted"]);
    const wrong = referenceGrant(gateways, { ...secrets, name: "other" }, "elsewhere");
    expect(served(plus(tls(reference), wrong))).toEqual([1, undefined, "RefNotPermitted"]);
  });

  it("is served with a grant", () => {
    const grant = referenceGrant(gateways, { ...secrets, name: "far-cert" }, "elsewhere");
    expect(served(plus(tls(reference), grant))).toEqual([2, "far", "ResolvedRefs"]);
  });

  it("is passed over for one that may be used, and reported", () => {
    expect(served(tls(reference, { name: "testsecret-ok" }))).toEqual([2, "testcert", "RefNotPermitted"]);
  });

  it("needs no grant in the Gateway's own namespace", () => {
    expect(served(tls({ name: "testsecret-ok", namespace: "testnamespace" }))).toEqual([2, "testcert", "ResolvedRefs"]);
  });
});
