/** Manifests in which all is well, to be changed in one place. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

const GATEWAY_API = "gateway.networking.k8s.io";
const STUNNER = "stunner.l7mp.io";

export const gatewayClass = (spec: object = {}): Manifest => ({
  apiVersion: `${GATEWAY_API}/v1`,
  kind: "GatewayClass",
  metadata: { name: "media" },
  spec: {
    controllerName: "stunner.l7mp.io/gateway-operator",
    parametersRef: { group: STUNNER, kind: "GatewayConfig", name: "config", namespace: "media" },
    ...spec,
  },
});

export const gatewayConfig = (
  spec: object = { authType: "static", userName: "user-1", password: "pass-1" },
  name = "config",
): Manifest => ({
  apiVersion: `${STUNNER}/v1`,
  kind: "GatewayConfig",
  metadata: { name, namespace: "media" },
  spec,
});

export const listener = (name: string, protocol: string, port: number, more: object = {}) => ({
  name,
  protocol,
  port,
  ...more,
});

export const gateway = (
  listeners: readonly unknown[] = [listener("udp", "TURN-UDP", 3478)],
  annotations: Readonly<Record<string, string>> = {},
  name = "gateway",
  className = "media",
): Manifest => ({
  apiVersion: `${GATEWAY_API}/v1`,
  kind: "Gateway",
  metadata: { name, namespace: "media", annotations },
  spec: { gatewayClassName: className, listeners },
});

export const route = (spec: object = {}, group = STUNNER, namespace = "media"): Manifest => ({
  apiVersion: group === STUNNER ? `${STUNNER}/v1` : `${GATEWAY_API}/v1alpha2`,
  kind: "UDPRoute",
  metadata: { name: "route", namespace },
  spec: { parentRefs: [{ name: "gateway" }], rules: [{ backendRefs: [{ name: "server" }] }], ...spec },
});

export const backends = (...backendRefs: readonly object[]): Manifest => route({ rules: [{ backendRefs }] });

export const service = (spec: object = {}, name = "server", namespace = "media"): Manifest => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace },
  spec: { ports: [{ port: 9001, protocol: "UDP" }], ...spec },
});

export const slice = (...addresses: readonly string[]): Manifest => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "server-1", namespace: "media", labels: { "kubernetes.io/service-name": "server" } },
  addressType: "IPv4",
  endpoints: [{ addresses, conditions: { ready: true } }],
});

export const staticService = (...prefixes: readonly string[]): Manifest => ({
  apiVersion: `${STUNNER}/v1`,
  kind: "StaticService",
  metadata: { name: "static", namespace: "media" },
  spec: { prefixes },
});

export const toStatic = (): Manifest => backends({ group: STUNNER, kind: "StaticService", name: "static" });

const keyOf = ({ kind, apiVersion, metadata: { namespace = "", name } }: Manifest): string =>
  [kind, apiVersion.split("/")[0], namespace, name].join(" ");

/** All is well but for `changes`, each instead of the object of its name, and without `removed` kinds. */
export const world = (changes: readonly Manifest[] = [], removed: readonly string[] = []): readonly Manifest[] => {
  const all = [gatewayClass(), gatewayConfig(), gateway(), route(), service(), slice("10.1.2.3")];
  const objects = new Map(all.filter(({ kind }) => !removed.includes(kind)).map((one) => [keyOf(one), one] as const));
  for (const change of changes) objects.set(keyOf(change), change);
  return [...objects.values()];
};

/** Calls `use` with a folder that holds them. */
export const inFolder = async <T>(objects: readonly Manifest[], use: (folder: string) => Promise<T>): Promise<T> => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-lint-"));
  try {
    writeFileSync(join(folder, "manifests.yaml"), objects.map((one) => stringify(one)).join("---\n"));
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
};
