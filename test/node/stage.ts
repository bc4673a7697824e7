/**
 * A stage of real parts: nodes that run our image in pods, the chart installed by Helm as a user would, media servers in
 * pods, and clients outside, who reach nodes only.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { chart, helmFor, type Helm } from "../chart/helm.ts";
import type { Literal, Reference } from "../cluster/client.ts";
import { startCluster, type Cluster } from "../cluster/cluster.ts";
import type { Nodes, NodesOptions } from "../cluster/nodes/nodes.ts";
import { eventually } from "../support/eventually.ts";
import { diagnose } from "./diagnosis.ts";
import { IMAGE, testImage } from "./image.ts";
import { startCaller, type Caller } from "./outside.ts";

const run = promisify(execFile);

export const SYSTEM = "turnpike-system";
export const NAMESPACE = "media";
export const MEDIA_PORT = 9000;

/** Sends back what comes to port 9000, and is in no hurry to end. */
const MEDIA_SERVER = `
import { createSocket } from "node:dgram";
import { createServer } from "node:http";
const socket = createSocket({ type: "udp6", recvBufferSize: 1 << 20 });
socket.on("message", (message, from) => socket.send(message, from.port, from.address));
socket.bind(${MEDIA_PORT}, () => createServer((_, response) => response.end()).listen(9001));
process.on("SIGTERM", () => console.log("asked to end"));
`;

export const meta = (name: string) => ({ name, namespace: NAMESPACE });

const restricted = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  seccompProfile: { type: "RuntimeDefault" },
};

/**
 * A Deployment of media servers and its Service.
 * @param graceSeconds they have so long to end, and take it.
 * @param image with Node; nodes have it.
 */
export const mediaServers = (name: string, replicas: number, graceSeconds = 5, image = IMAGE): readonly Literal[] => [
  { apiVersion: "v1", kind: "ConfigMap", metadata: meta("media-server"), data: { "server.mjs": MEDIA_SERVER } },
  {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: meta(name),
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: graceSeconds,
          containers: [
            {
              name: "media",
              image,
              imagePullPolicy: "Never",
              command: ["node", "/media/server.mjs"],
              readinessProbe: { httpGet: { path: "/", port: 9001 }, periodSeconds: 1 },
              securityContext: restricted,
              volumeMounts: [{ name: "server", mountPath: "/media" }],
            },
          ],
          volumes: [{ name: "server", configMap: { name: "media-server" } }],
        },
      },
    },
  },
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: meta(name),
    spec: {
      selector: { app: name },
      ipFamilyPolicy: "PreferDualStack",
      ports: [{ port: MEDIA_PORT, protocol: "UDP" }],
    },
  },
];

export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly nodeName: string;
    readonly containers: readonly {
      readonly image: string;
      readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
    }[];
    readonly volumes?: readonly { readonly name: string }[];
  };
  readonly status: {
    readonly podIP: string;
    readonly podIPs: readonly { readonly ip: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly unknown[];
  };
}

export interface ServiceObject {
  readonly spec: {
    readonly clusterIP: string;
    readonly ports: readonly { readonly name: string; readonly port: number; readonly nodePort: number }[];
  };
  readonly status: { readonly loadBalancer: { readonly ingress?: readonly { readonly ip: string }[] } };
}

export interface Stage {
  readonly cluster: Cluster;
  readonly nodes: Nodes;
  readonly helm: Helm;
  /** Clients outside. */
  readonly caller: Caller;
  /** Runs `kubectl` as an administrator, and tells what it printed. */
  kubectl(...args: readonly string[]): Promise<string>;
  apply(...objects: readonly Literal[]): Promise<void>;
  /** Pods that are ready and not on their way out, once there are so many. */
  ready(selector: string, count: number, namespace?: string): Promise<readonly Pod[]>;
  /** A Service, a Gateway's or another, once a load balancer has given it an address. */
  addressed(name: string, namespace?: string): Promise<{ readonly address: string; readonly service: ServiceObject }>;
}

const isReady = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;

/** Values of the chart that have nodes run the image of this checkout. */
export const ourImage = ["--set", "image.repository=turnpike", "--set", "image.tag=test"] as const;

/** What is installed. */
export interface Release {
  /** Folder or file. */
  readonly chart: string;
  /** @returns the archive of the image. */
  image(): Promise<string>;
  /** Arguments of Helm that name the image. */
  readonly values: readonly string[];
}

const ofCheckout: Release = { chart, image: testImage, values: ourImage };

export interface StageOptions extends Omit<NodesOptions, "images"> {
  /** That of this checkout, if absent. */
  readonly release?: Release;
  /** Archives of further images that nodes have. */
  readonly images?: () => Promise<readonly string[]>;
}

/** Registers the hooks of a test file: a cluster with nodes, the chart installed. @param values further arguments of Helm. */
export const useStage = (
  { images, release = ofCheckout, ...options }: StageOptions = { count: 1 },
  values: readonly string[] = [],
): Stage => {
  let cluster: Cluster;
  let helm: Helm;
  let caller: Caller;

  const nodes = (): Nodes => {
    if (cluster.nodes === undefined) throw new Error("a cluster without nodes");
    return cluster.nodes;
  };

  const kubectl: Stage["kubectl"] = async (...args) => {
    const [program = "", ...rest] = [...nodes().kubectl, ...args];
    return (await run(program, rest, { maxBuffer: 16 * 2 ** 20 })).stdout;
  };

  beforeAll(async () => {
    const archives = [await release.image(), ...((await images?.()) ?? [])];
    cluster = await startCluster({ nodes: { ...options, images: archives } });
    helm = await helmFor(cluster.kubeconfig);
    caller = startCaller(nodes().outside);
    // Where nothing may run but what asks for no more than it needs.
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    for (const name of [SYSTEM, NAMESPACE])
      await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
    const flags = ["--namespace", SYSTEM, "--wait", "--timeout", "5m"];
    await helm("install", "turnpike", release.chart, ...flags, ...release.values, ...values);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail")
      console.log(`the cluster after "${task.name}":\n${await diagnose(kubectl, nodes().all)}`);
  });
  afterAll(async () => {
    await caller?.close();
    await cluster?.stop();
  });

  return {
    get cluster() {
      return cluster;
    },
    get nodes() {
      return nodes();
    },
    get helm() {
      return helm;
    },
    get caller() {
      return caller;
    },
    kubectl,
    async apply(...objects) {
      for (const object of objects) await cluster.client.apply(object);
    },
    ready: (labelSelector, count, namespace = NAMESPACE) =>
      eventually(async () => {
        const pods = await cluster.client.list<Pod>({ apiVersion: "v1", kind: "Pod", namespace, labelSelector });
        const are = pods.filter(isReady);
        expect(are).toHaveLength(count);
        return are;
      }, 100),
    addressed: (name, namespace = NAMESPACE) =>
      eventually(async () => {
        const reference: Reference = { apiVersion: "v1", kind: "Service", metadata: { name, namespace } };
        const service = await cluster.client.get<ServiceObject>(reference);
        const [ingress] = service.status.loadBalancer.ingress ?? [];
        expect(ingress).toBeDefined();
        return { address: ingress!.ip, service };
      }, 100),
  };
};
