/** A Gateway of managed dataplanes, and Deployments of media servers, in the namespace `media`. */
import {
  dataplane as dataplaneWith,
  gateway as gatewayWith,
  gatewayClass,
  gatewayConfig,
  udpRoute,
  withMetadata,
} from "../support/manifests.ts";
import type { Literal } from "./client.ts";
import { literal } from "./world.ts";

export const NAMESPACE = "media";
export const MEDIA_PORT = 9000;
export const credentials = { username: "user-1", password: "pass-1" };
/** Labels that select the pods of the media servers, and those of the dataplanes. */
export const MEDIA = "app=media";
export const DATAPLANE = "app=stunner";

export const meta = (name: string) => ({ name, namespace: NAMESPACE });

export const gateway = (annotations: Readonly<Record<string, string>> = {}): Literal =>
  literal(
    withMetadata(
      gatewayWith(`${NAMESPACE}/gateway`, "media", [
        { name: "udp", port: 3478, protocol: "TURN-UDP" },
        { name: "tcp", port: 3478, protocol: "TURN-TCP" },
      ]),
      { annotations: { "stunner.l7mp.io/enable-mixed-protocol-lb": "true", ...annotations } },
    ),
  );

export const dataplane = (spec: Readonly<Record<string, unknown>> = {}): Literal =>
  literal(
    dataplaneWith({
      image: "example.org/turnpike",
      args: ["-w", "--udp-thread-num=1"],
      resources: { limits: { memory: "512Mi" }, requests: { memory: "128Mi" } },
      ...spec,
    }),
  );

/** Media servers, which have three seconds of grace to end. @param more metadata of their pods. */
export const media = (
  name: string,
  replicas: number,
  more: Readonly<Record<string, unknown>> = {},
): readonly Literal[] => [
  {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: meta(name),
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name }, ...more },
        spec: {
          terminationGracePeriodSeconds: 3,
          containers: [
            {
              name: "media",
              image: "example.org/media",
              command: ["media-server"],
              readinessProbe: { httpGet: { path: "/", port: 9001 } },
            },
          ],
        },
      },
    },
  },
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: meta(name),
    spec: { selector: { app: name }, ports: [{ port: MEDIA_PORT, protocol: "UDP" }] },
  },
];

/** A class, its config, the Gateway, and a route to the Service `media`. */
export const world: readonly Literal[] = [
  literal(gatewayClass("media", `${NAMESPACE}/config`)),
  literal(
    gatewayConfig(`${NAMESPACE}/config`, {
      authType: "static",
      userName: credentials.username,
      password: credentials.password,
    }),
  ),
  gateway(),
  literal(udpRoute(`${NAMESPACE}/route`, [{ name: "gateway" }], [{ name: "media", namespace: NAMESPACE }])),
];
