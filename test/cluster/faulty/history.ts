/** A random history of a small world: what its people, and others, do to it while an operator looks after it. */
import { generateKeyPairSync } from "node:crypto";
import { dataplane, gateway, gatewayApiRoute, gatewayConfig, route, service } from "../../support/objects.ts";
import { ApiError, type Client } from "../client.ts";
import { applyAll, media, removeAll } from "../world.ts";
import type { Random } from "./random.ts";

export interface History {
  /** Makes what the changes need. */
  begin(): Promise<void>;
  /** Changes one thing. Gateways `a` and `b` are wanted throughout; `c` and `d` come and go. */
  step(): Promise<void>;
}

/** A Deployment of another owner, with the name of a Gateway that comes and goes. */
const foreignDeployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "d", namespace: "ns", labels: { theirs: "yes" } },
  spec: {
    replicas: 0,
    selector: { matchLabels: { theirs: "yes" } },
    template: {
      metadata: { labels: { theirs: "yes" } },
      spec: { containers: [{ name: "theirs", image: "example.org/theirs" }] },
    },
  },
};

const secret = (name: string, data: Readonly<Record<string, string>>) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: "ns" },
  stringData: data,
});

const UDP = { name: "udp", protocol: "TURN-UDP" } as const;

export const createHistory = (client: Client, random: Random): History => {
  const apply = (...objects: readonly unknown[]): Promise<unknown> => applyAll(client, ...objects);
  const remove = (...objects: readonly unknown[]): Promise<unknown> => removeAll(client, ...objects);
  const addresses = (): readonly string[] =>
    Array.from(
      { length: random.between(0, 4) },
      () => `${random.chance(0.2) ? "!" : ""}10.0.${random.between(0, 3)}.${random.between(1, 9)}`,
    ).filter((one, index, all) => all.findIndex((other) => other.replace("!", "") === one.replace("!", "")) === index);
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const auth = () =>
    secret("auth", { type: "static", username: "user", password: `pass-${random.between(1, 1_000_000)}` });
  const port = () => random.between(3000, 4000);
  const merge = (kind: string, apiVersion: string, name: string, patch: unknown, subresource = "") =>
    client.patch({ apiVersion, kind, metadata: { name, namespace: "ns" } }, patch, { subresource });

  const changes: Readonly<Record<string, () => Promise<unknown>>> = {
    endpoints: () => apply(media(random.pick(["media-a", "media-b"]), addresses())),
    "endpoints gone": () => remove(media("media-b", [])),
    "a listener": () => apply(gateway(random.pick(["a", "b"]), [{ ...UDP, port: port() }])),
    "more listeners": () =>
      apply(
        gateway("a", [
          { ...UDP, port: port() },
          { name: "tcp", port: port(), protocol: "TURN-TCP" },
        ]),
      ),
    "a listener with a certificate": () =>
      apply(
        gateway("b", [
          { ...UDP, port: 3478 },
          {
            name: "tls",
            port: 443,
            protocol: "TURN-TLS",
            tls: { mode: "Terminate", certificateRefs: [{ kind: "Secret", name: "tls" }] },
          },
        ]),
      ),
    "a certificate": () => apply(secret("tls", { "tls.key": privateKey, "tls.crt": `renewed ${random.next()}` })),
    "no certificate": () => remove(secret("tls", {})),
    credentials: () => apply(auth()),
    "a gateway": () => apply(gateway(random.pick(["c", "d"])), route("to-c", ["c", "d"], ["media-a"])),
    "no gateway": () => remove(gateway(random.pick(["c", "d"]))),
    "a gateway anew": async () => {
      await remove(gateway("c"));
      await apply(gateway("c"));
    },
    "a gateway of another class": () =>
      apply({ ...gateway("c"), spec: { ...gateway("c").spec, gatewayClassName: "others" } }),
    "a route": () => apply(route("to-a", ["a"], random.pick([["media-a"], ["media-b"], ["media-a", "media-b"]]))),
    "a route of the Gateway API": () => apply(gatewayApiRoute("api", ["b"], ["media-a"])),
    "no such route": () => remove(gatewayApiRoute("api", [], [])),
    "a route anew": async () => {
      await remove(route("to-b", [], []));
      await apply(route("to-b", ["b"], ["media-b"]));
    },
    "no service": () => remove(service("media-b")),
    "a service": () => apply(service("media-b")),
    "a dataplane": () =>
      apply({ ...dataplane, spec: { ...dataplane.spec, image: `example.org/turnpike:${random.between(1, 9)}` } }),
    "a Deployment of ours, by somebody": () =>
      merge("Deployment", "apps/v1", "a", { metadata: { labels: { "stunner.l7mp.io/related-gateway-name": "x" } } }),
    "a Service of ours, by somebody": () =>
      merge("Service", "v1", "a", { spec: { ports: [{ name: "theirs", port: 1, protocol: "UDP" }] } }),
    "a status of ours, by somebody": () =>
      merge(
        "Gateway",
        "gateway.networking.k8s.io/v1",
        "a",
        { status: { listeners: null, conditions: null } },
        "/status",
      ),
    "a Deployment of ours, gone": () =>
      remove({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "c", namespace: "ns" } }),
  };

  return {
    async begin() {
      await apply(auth());
      await apply(gatewayConfig({ password: "pass", authRef: { name: "auth" } }), service("d"), foreignDeployment);
    },
    async step() {
      const what = random.pick(Object.keys(changes));
      await changes[what]!().catch((error: unknown) => {
        // What it would change may be gone, or not be there yet; what makes no sense is refused.
        if (!(error instanceof ApiError && [404, 409, 422].includes(error.status))) throw error;
      });
    },
  };
};
