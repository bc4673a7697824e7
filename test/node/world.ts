/** Manifests of a user: a Gateway with its listeners, a route to media servers. */
import type { TransportName } from "../../src/turn-client/turn-client.ts";
import type { Literal } from "../cluster/client.ts";
import { literal } from "../cluster/world.ts";
import { makeCertificate } from "../support/certificate.ts";
import { gateway, gatewayClass, gatewayConfig, udpRoute, withMetadata } from "../support/manifests.ts";
import { meta, NAMESPACE } from "./stage.ts";

export const credentials = { username: "user-1", password: "pass-1" };
const certificate = makeCertificate();
export const verification = { ca: certificate.certificate, serverName: "localhost" };

export const portOf = { udp: 3478, tcp: 3478, tls: 5349, dtls: 5349 } as const;
const protocolOf = { udp: "TURN-UDP", tcp: "TURN-TCP", tls: "TURN-TLS", dtls: "TURN-DTLS" } as const;

const listenerOf = (name: TransportName) => ({
  name,
  port: portOf[name],
  protocol: protocolOf[name],
  ...(name === "tls" || name === "dtls"
    ? { tls: { mode: "Terminate", certificateRefs: [{ kind: "Secret", name: "certificate" }] } }
    : {}),
});

/** UDP beside TCP in one Service waits for being asked for. */
const MIXED = { "stunner.l7mp.io/enable-mixed-protocol-lb": "true" };

export const gatewayWith = (
  name: string,
  transports: readonly TransportName[],
  annotations: Readonly<Record<string, string>> = {},
): Literal =>
  literal(
    withMetadata(gateway(`${NAMESPACE}/${name}`, "media", transports.map(listenerOf)), {
      annotations: { ...MIXED, ...annotations },
    }),
  );

export const routeTo = (gatewayName: string, service: string): Literal =>
  literal(
    udpRoute(
      `${NAMESPACE}/${gatewayName}-${service}`,
      [{ name: gatewayName }],
      [{ name: service, namespace: NAMESPACE }],
    ),
  );

/** The GatewayConfig: `user-1` with this password. */
export const config = (password: string): Literal =>
  literal(gatewayConfig(`${NAMESPACE}/config`, { authType: "static", userName: credentials.username, password }));

/** A class, its config, and a certificate. */
export const base: readonly Literal[] = [
  {
    apiVersion: "v1",
    kind: "Secret",
    metadata: meta("certificate"),
    type: "kubernetes.io/tls",
    data: { "tls.crt": certificate.cert64, "tls.key": certificate.key64 },
  },
  literal(gatewayClass("media", `${NAMESPACE}/config`)),
  config(credentials.password),
];
