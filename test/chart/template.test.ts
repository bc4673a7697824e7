/** What the chart renders, over a matrix of values: the API server takes every object of it, field by field. */
import { parseAllDocuments } from "yaml";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Literal } from "../cluster/client.ts";
import { startCluster, type Cluster } from "../cluster/cluster.ts";
import { installKeda } from "../cluster/crds.ts";
import { installStandIns } from "./monitoring-kinds.ts";
import { chart, helmFor, type Helm } from "./helm.ts";

const NAMESPACE = "media";
const peer = { podSelector: { matchLabels: { app: "auth" } } };

const matrix: Readonly<Record<string, unknown>> = {
  "no values": {},
  "legacy mode": { dataplaneMode: "legacy", dataplane: { create: false } },
  Endpoints: { endpointSource: "Endpoints", endpointDiscovery: false, requireReferenceGrants: true },
  "the authentication service": {
    authService: {
      enabled: true,
      replicas: 2,
      port: 9000,
      tokenSecret: "auth",
      publicAddress: "turn.example.org",
      extraArgs: ["--verbose"],
      service: { name: "stunner-auth", type: "NodePort", annotations: { a: "b" } },
      resources: {},
    },
    networkPolicy: { enabled: true },
  },
  "a relay in the operator": { embedded: true, replicas: 2, terminationGracePeriodSeconds: 3600 },
  "what somebody had for STUNner's chart": {
    stunnerGatewayOperator: {
      enabled: true,
      customerKey: "0123",
      deployment: {
        replicas: 2,
        nodeSelector: { a: "b" },
        tolerations: [{ operator: "Exists" }],
        podLabels: { a: "b" },
        container: { manager: { image: { tag: "1.2.0" }, resources: { limits: { memory: "1Gi" } } } },
      },
      dataplane: { mode: "managed", spec: { replicas: 2, hostNetwork: true, image: { name: "l7mp/stunnerd" } } },
    },
    stunnerAuthService: { enabled: true, deployment: { replicas: 2, podLabels: { a: "b" } } },
  },
  "another cluster domain": { clusterDomain: "k8s.example.org", endpointDiscovery: false },
  "two namespaces": { watchNamespaces: ["media", "elsewhere"] },
  "deletion costs": { podDeletionCost: true, watchNamespaces: ["media"] },
  "a HorizontalPodAutoscaler for each of two Gateways": {
    podDeletionCost: true,
    autoscaling: {
      enabled: true,
      megabitsPerPod: 200,
      gateways: [
        { namespace: NAMESPACE, name: "one" },
        { namespace: "elsewhere", name: "two", minReplicas: 1, maxReplicas: 40, callsPerPod: 100, megabitsPerPod: 0 },
      ],
      podDisruptionBudget: { enabled: true, maxUnavailable: "25%" },
    },
  },
  "a ScaledObject": {
    autoscaling: {
      enabled: true,
      kind: "ScaledObject",
      megabitsPerPod: 200,
      gateways: [{ namespace: NAMESPACE, name: "one" }],
      prometheus: { authenticationRef: "prometheus" },
    },
  },
  "a disruption budget of dataplanes": {
    autoscaling: { gateways: [{ namespace: NAMESPACE, name: "one" }], podDisruptionBudget: { enabled: true } },
  },
  "a persistent log": { journal: { persistent: true, size: "10Gi", storageClassName: "fast" } },
  "a claim that is there": { journal: { persistent: true, existingClaim: "mine" } },
  "three replicas": { replicas: 3, podDisruptionBudget: { enabled: true, minAvailable: "50%" } },
  "a network policy": { networkPolicy: { enabled: true, discoveryFrom: [peer], metricsFrom: [peer] } },
  "a network policy without metrics": { networkPolicy: { enabled: true }, metrics: { enabled: false } },
  monitoring: {
    metrics: {
      serviceMonitor: { enabled: true, labels: { release: "prometheus" } },
      podMonitor: { enabled: true, labels: { release: "prometheus" } },
      prometheusRule: { enabled: true, labels: { release: "prometheus" } },
      dashboard: { enabled: true, annotations: { folder: "media" } },
    },
  },
  "rights of another owner": {
    rbac: { create: false },
    serviceAccount: { create: false, name: "theirs" },
    cleanup: { enabled: false },
  },
  "no ServiceAccount": { serviceAccount: { create: false } },
  "dataplanes in the network of their node": {
    dataplane: { spec: { hostNetwork: true, dataplaneResource: "DaemonSet" } },
  },
  "kernel offload": { dataplane: { offload: { engine: "TC", interfaces: ["eth0"] } } },
  "a Dataplane with everything": {
    dataplane: {
      name: "other",
      spec: {
        image: "registry.example.org/turnpike:1",
        imagePullSecrets: [{ name: "registry" }],
        labels: { a: "b" },
        annotations: { a: "b" },
        env: [{ name: "A", value: "b" }],
        securityContext: { runAsUser: 1000 },
        affinity: { nodeAffinity: {} },
        tolerations: [{ operator: "Exists" }],
        topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" }],
        offloadInterfaces: ["eth0"],
      },
    },
  },
  "everything else": {
    nameOverride: "relay",
    fullnameOverride: "the-relay",
    namespaceOverride: "elsewhere",
    controllerName: "example.org/turnpike",
    image: { repository: "registry.example.org/turnpike", digest: `sha256:${"0".repeat(64)}` },
    imagePullSecrets: [{ name: "registry" }],
    logLevel: "debug",
    traces: "http://collector:4318",
    extraArgs: ["--config-discovery-token-file=/secrets/token"],
    extraEnv: [{ name: "OTEL_SERVICE_NAME", value: "turnpike" }],
    extraVolumes: [{ name: "secrets", secret: { secretName: "discovery" } }],
    extraVolumeMounts: [{ name: "secrets", mountPath: "/secrets" }],
    discovery: { address: "discovery.example.org", service: { annotations: { a: "b" } } },
    admin: { enabled: false },
    metrics: { service: { annotations: { a: "b" } } },
    serviceAccount: { name: "relay", annotations: { a: "b" } },
    commonLabels: { team: "media" },
    podAnnotations: { a: "b" },
    podLabels: { a: "b" },
    nodeSelector: { a: "b" },
    tolerations: [{ operator: "Exists" }],
    affinity: { podAntiAffinity: {} },
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "zone",
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: { a: "b" } },
      },
    ],
    priorityClassName: "system-cluster-critical",
    terminationGracePeriodSeconds: 60,
  },
  "part of another chart": { global: { imageRegistry: "x" }, enabled: true },
};

let cluster: Cluster;
let helm: Helm;
beforeAll(async () => {
  cluster = await startCluster();
  helm = await helmFor();
  for (const name of [NAMESPACE, "elsewhere"])
    await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  await installStandIns(cluster.client);
  await installKeda(cluster.client);
});
afterAll(async () => cluster?.stop());

/** As `kubectl apply --server-side --dry-run=server --validate=strict`. */
const wouldTake = async (object: Literal): Promise<unknown> => {
  const placed = { ...object, metadata: { namespace: NAMESPACE, ...object.metadata } };
  const query = "fieldManager=test&dryRun=All&fieldValidation=Strict";
  return cluster.client.request(`${await cluster.client.pathOf(placed)}?${query}`, {
    method: "PATCH",
    body: object,
    contentType: "application/apply-patch+yaml",
  });
};

it.each(Object.entries(matrix))("renders what the API server takes: %s", async (_, values) => {
  const flags = Object.entries(values as object).flatMap(([key, value]) => [
    "--set-json",
    `${key}=${JSON.stringify(value)}`,
  ]);
  const text = await helm("template", "release", chart, "--namespace", NAMESPACE, ...flags);
  const objects = parseAllDocuments(text).flatMap((document) =>
    document.contents === null ? [] : [document.toJS() as Literal],
  );
  expect(objects.length).toBeGreaterThanOrEqual(5);
  for (const object of objects)
    await wouldTake(object).catch((error: unknown) => {
      throw new Error(`${object.kind} ${object.metadata.name}: ${String(error)}`);
    });
  // Nothing is made twice.
  const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
  expect(names.toSorted()).toEqual([...new Set(names)].toSorted());
});
