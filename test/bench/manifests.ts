/** A directory with many gateways, each with a route to a Service of its own. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface ManifestsOptions {
  readonly gateways: number;
  readonly endpointsPerGateway: number;
  /** Gateway `n` listens on this port plus `n`. */
  readonly firstPort: number;
}

const shared = `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata:
  name: media
spec:
  controllerName: stunner.l7mp.io/gateway-operator
  parametersRef:
    group: stunner.l7mp.io
    kind: GatewayConfig
    name: config
    namespace: media
---
apiVersion: stunner.l7mp.io/v1
kind: GatewayConfig
metadata:
  name: config
  namespace: media
spec:
  authType: static
  userName: user-1
  password: pass-1
`;

/** Address `index` of gateway `n`, somewhere in 10.0.0.0/8. */
export const addressOf = (n: number, index: number): string => `10.${(n >> 8) & 255}.${n & 255}.${index + 1}`;

const endpoint = (address: string): string => `  - addresses: ["${address}"]
    conditions:
      ready: true
      serving: true
      terminating: false
`;

export const gatewayManifests = (
  n: number,
  addresses: readonly string[],
  port: number,
): string => `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: gateway-${n}
  namespace: media
spec:
  gatewayClassName: media
  listeners:
    - name: udp
      port: ${port}
      protocol: TURN-UDP
---
apiVersion: stunner.l7mp.io/v1
kind: UDPRoute
metadata:
  name: route-${n}
  namespace: media
spec:
  parentRefs:
    - name: gateway-${n}
  rules:
    - backendRefs:
        - name: service-${n}
---
apiVersion: v1
kind: Service
metadata:
  name: service-${n}
  namespace: media
spec:
  ports:
    - port: 9000
      protocol: UDP
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: service-${n}-1
  namespace: media
  labels:
    kubernetes.io/service-name: service-${n}
addressType: IPv4
ports:
  - port: 9000
    protocol: UDP
endpoints:
${addresses.map(endpoint).join("")}`;

export const gatewayFile = (folder: string, n: number): string =>
  join(folder, `gateway-${String(n).padStart(4, "0")}.yaml`);

export const addressesOf = (n: number, count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => addressOf(n, i));

export const writeManifests = (
  folder: string,
  { gateways, endpointsPerGateway, firstPort }: ManifestsOptions,
): void => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "class.yaml"), shared);
  for (let n = 0; n < gateways; n += 1)
    writeFileSync(gatewayFile(folder, n), gatewayManifests(n, addressesOf(n, endpointsPerGateway), firstPort + n));
};
