/** Histories of manifests that somebody changes. */
import {
  backend,
  gateway,
  gatewayApiRoute,
  gatewayClass,
  gatewayConfig,
  named,
  namespace,
  route,
  service,
  TCP,
  UDP,
} from "./manifests.ts";
import { makeCertificate } from "../../support/certificate.ts";
import { operatorOptions } from "../../../src/runtime/options.ts";
import type { Recipe, StageOptions } from "./stage.ts";

const TLS = {
  name: "tls",
  port: 443,
  protocol: "TURN-TLS",
  tls: { mode: "Terminate", certificateRefs: [{ name: "certificate" }] },
};

const secret = () => {
  const { cert64, key64 } = makeCertificate();
  return {
    ...named("v1", "Secret", "certificate", undefined),
    type: "kubernetes.io/tls",
    data: { "tls.crt": cert64, "tls.key": key64 },
  };
};

const staticService = named("stunner.l7mp.io/v1", "StaticService", "recorders", {
  prefixes: ["192.0.2.0/28", "2001:db8::/64"],
});

export const manifestRecipes: Readonly<Record<string, readonly [StageOptions, Recipe]>> = {
  "listener-added": [
    {},
    async (stage) => {
      await stage.apply(gateway([UDP, TCP]));
      await stage.until("it is accepted", () => stage.state("listener", "media/edge/tcp") === "accepted");
      await stage.settled();
      await stage.apply(gateway([UDP]));
      await stage.until("it is gone", () => stage.state("listener", "media/edge/tcp") === undefined);
      await stage.settled();
    },
  ],
  "secret-missing": [
    {},
    async (stage) => {
      await stage.apply(gateway([UDP, TLS]));
      await stage.until("it is refused", () => stage.state("listener", "media/edge/tls") === "refused");
      await stage.settled();
      await stage.apply(secret());
      await stage.until("it is accepted", () => stage.state("listener", "media/edge/tls") === "accepted");
      await stage.settled();
    },
  ],
  "config-changed": [
    {},
    async (stage) => {
      await stage.apply(gatewayConfig({ realm: "other.example.org", password: "another" }));
      await stage.settled();
      await stage.apply(gatewayConfig({ authType: "ephemeral" }));
      await stage.until("the Gateway is invalid", () => stage.state("gateway", "media/edge") === "invalid");
      await stage.settled();
      await stage.apply(gatewayConfig({ authType: "ephemeral", sharedSecret: "secret" }));
      await stage.until("the Gateway is valid", () => stage.state("gateway", "media/edge") === "active");
      await stage.settled();
    },
  ],
  "gateway-reclassed": [
    {},
    async (stage) => {
      await stage.apply(gatewayClass("others", "example.org/another"));
      await stage.apply(gateway([UDP], { gatewayClassName: "others" }));
      await stage.until("it is no longer ours", () => stage.state("gateway", "media/edge") === undefined);
      await stage.settled();
      await stage.apply(gateway());
      await stage.until("it is ours again", () => stage.state("gateway", "media/edge") === "active");
      await stage.settled();
    },
  ],
  "gateway-deleted": [
    {},
    async (stage) => {
      await stage.remove(gateway());
      await stage.until("it is gone", () => stage.state("gateway", "media/edge") === undefined);
      await stage.settled();
      await stage.apply(gateway());
      await stage.until("it is back", () => stage.state("gateway", "media/edge") === "active");
      await stage.settled();
    },
  ],
  "route-masked": [
    {},
    async (stage) => {
      const state = () => stage.state("route", "GatewayUDPRoute/media/calls");
      await stage.apply(gatewayApiRoute([backend("sfu", { port: 9000 })]));
      await stage.until("it is masked", () => state() === "masked");
      await stage.settled();
      await stage.remove(route());
      await stage.until("it is no longer masked", () => state() === "attached");
      await stage.settled();
    },
  ],
  "namespace-labelled": [
    {},
    async (stage) => {
      const state = () => stage.state("route", "UDPRoute/media/calls");
      const selector = { matchLabels: { calls: "allowed" } };
      await stage.apply(gateway([{ ...UDP, allowedRoutes: { namespaces: { from: "Selector", selector } } }]));
      await stage.until("no listener takes the route", () => state() === "detached");
      await stage.settled();
      await stage.apply(namespace({ calls: "allowed" }));
      await stage.until("it is taken", () => state() === "attached");
      await stage.settled();
      await stage.apply(namespace({ calls: "forbidden" }));
      await stage.until("it is not taken", () => state() === "detached");
      await stage.settled();
    },
  ],
  "static-service-added": [
    {},
    async (stage) => {
      const ref = { group: "stunner.l7mp.io", kind: "StaticService" };
      await stage.apply(route([backend("sfu"), backend("recorders", ref)]));
      await stage.until("it is missing", () => stage.state("route", "UDPRoute/media/calls") === "degraded");
      await stage.settled();
      await stage.apply(staticService);
      await stage.until(
        "it is there",
        () => stage.state("endpoint", "static:media/recorders#192.0.2.0/28") === "active",
      );
      await stage.settled();
    },
  ],
  "address-assigned": [
    {},
    async (stage) => {
      const address = { loadBalancer: { ingress: [{ ip: "203.0.113.10" }] } };
      await stage.client.patchStatus(service("edge"), address);
      await stage.until("it is announced", () =>
        JSON.stringify(stage.operator.loop.core.rendered("media/edge" as never)?.config).includes("203.0.113.10"),
      );
      await stage.settled();
    },
  ],
  "foreign-service": [
    {},
    async (stage) => {
      const theirs = named("v1", "Service", "other", { ports: [{ name: "theirs", port: 80 }] });
      await stage.apply(theirs);
      await stage.settled();
      await stage.apply(gateway([UDP], {}, "other"));
      await stage.until("it is reported that the name is taken", () =>
        JSON.stringify(stage.operator.loop.core.status("Gateway/media/other" as never) ?? "").includes("not "),
      );
      await stage.settled();
      await stage.remove(theirs);
      await stage.until("its own is made", () =>
        stage.facts.some(
          (fact) =>
            fact.type === "object.written" &&
            fact.data.object === "Service/media/other" &&
            fact.data.outcome === "created",
        ),
      );
      await stage.settled();
    },
  ],
  legacy: [
    { overrides: { render: operatorOptions({ mode: "legacy", discoveryAddress: "127.0.0.1:13478" }) } },
    async (stage) => {
      await stage.apply(gateway([UDP, TCP]));
      await stage.until("it is accepted", () => stage.state("listener", "media/edge/tcp") === "accepted");
      await stage.settled();
      await stage.remove(gateway());
      await stage.until("it is gone", () => stage.state("gateway", "media/edge") === undefined);
      await stage.settled();
    },
  ],
};
