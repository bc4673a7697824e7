/** The workload of a Gateway's dataplane: a Deployment, or a DaemonSet of the same pods. */
import type { Workload } from "../resources/core.ts";
import type { Gateway } from "../resources/gateway-api.ts";
import type { Dataplane } from "../resources/stunner.ts";
import type { RenderOptions } from "../resources/view.ts";
import type { Name } from "../resources/keys.ts";
import { formatHostPort, parseHostPort } from "../net/host-port.ts";
import { DATAPLANE_CONTAINER, DISCOVERY_PORT } from "../resources/names.ts";
import { gatewayAnnotations } from "./annotations.ts";
import { isFirstEdition } from "./rules.ts";
import { infrastructureOf, ownedLabels, ownerReference, podLabels, relatedAnnotation } from "./ownership.ts";

type Spec = NonNullable<Dataplane["spec"]>;

const DEFAULT_IMAGE = "l7mp/stunnerd:latest";
const DEFAULT_RESOURCES = { limits: { memory: "20M" }, requests: { cpu: "250m" } } as const;
const DEFAULT_GRACE_SECONDS = 3600;
const METRICS_PORT = 8080;
const HEALTH_CHECK_PORT = 8086;

/** The address at which pods reach the config discovery service: a bare host gets the port, bare IPv6 gets brackets. */
export const discoveryUrl = (address: string, tls = false): string => {
  const parsed = parseHostPort(address);
  const origin = parsed === undefined ? address : formatHostPort({ port: DISCOVERY_PORT, ...parsed });
  return `${tls ? "https" : "http"}://${origin}`;
};

const environment = (gateway: Gateway, spec: Spec, options: RenderOptions): readonly unknown[] => {
  const fromField = (fieldPath: string): unknown => ({ fieldRef: { apiVersion: "v1", fieldPath } });
  return [
    { name: "STUNNER_ADDR", valueFrom: fromField("status.podIP") },
    { name: "STUNNER_NAME", value: gateway.metadata.name },
    { name: "STUNNER_NAMESPACE", value: gateway.metadata.namespace ?? "default" },
    { name: "STUNNER_NODENAME", valueFrom: fromField("spec.nodeName") },
    { name: "STUNNER_CONFIG_ORIGIN", value: discoveryUrl(options.discoveryAddress, options.discoveryTls) },
    ...(spec.env ?? []),
  ];
};

const probe = (path: string): unknown => ({
  httpGet: { path, port: HEALTH_CHECK_PORT, scheme: "HTTP" },
  periodSeconds: 15,
  timeoutSeconds: 1,
  successThreshold: 1,
  failureThreshold: 3,
});

const isReadOnly = ({ containerSecurityContext: context }: Spec): boolean =>
  typeof context === "object" &&
  context !== null &&
  "readOnlyRootFilesystem" in context &&
  context.readOnlyRootFilesystem === true;

/** The event log and the last valid config need a volume, and a Dataplane has no field for volumes. */
const TEMPORARY = { name: "tmp", mountPath: "/tmp" } as const;

const container = (gateway: Gateway, spec: Spec, options: RenderOptions): unknown => ({
  name: DATAPLANE_CONTAINER,
  image: spec.image || DEFAULT_IMAGE,
  imagePullPolicy: spec.imagePullPolicy || "Always",
  command: spec.command ?? ["stunnerd"],
  args: spec.args ?? ["-w", "--udp-thread-num=16"],
  env: environment(gateway, spec, options),
  ...(spec.envFrom === undefined || spec.envFrom.length === 0 ? {} : { envFrom: spec.envFrom }),
  ports: [{ name: "metrics-port", containerPort: METRICS_PORT, protocol: "TCP" }],
  resources: spec.resources ?? DEFAULT_RESOURCES,
  ...(spec.disableHealthCheck === true ? {} : { livenessProbe: probe("/live"), readinessProbe: probe("/ready") }),
  ...(spec.containerSecurityContext === undefined ? {} : { securityContext: spec.containerSecurityContext }),
  ...(isReadOnly(spec) ? { volumeMounts: [TEMPORARY] } : {}),
});

/** Pod settings that keep their value in the cluster unless the Dataplane sets them. */
const optionalPodSettings = (spec: Spec): Readonly<Record<string, unknown>> => {
  const { affinity, tolerations, securityContext, imagePullSecrets, topologySpreadConstraints } = spec;
  const settings = { affinity, tolerations, securityContext, imagePullSecrets, topologySpreadConstraints };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
};

const gatewayLabels = (gateway: Gateway, filter: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(gateway.metadata.labels ?? {}).filter(([key]) => !filter.includes(key)));

/** One replica counts as unset: a person or an autoscaler that scales the Deployment is not overridden. */
const replicas = (spec: Spec): { readonly replicas?: number } =>
  spec.replicas === undefined || spec.replicas === 1 ? {} : { replicas: spec.replicas };

export const workloadKind = (dataplane: Dataplane | undefined): "Deployment" | "DaemonSet" =>
  dataplane?.spec?.dataplaneResource === "DaemonSet" ? "DaemonSet" : "Deployment";

export const renderWorkload = (
  name: Name,
  gateway: Gateway,
  dataplane: Dataplane | undefined,
  options: RenderOptions,
): Workload => {
  const spec = dataplane?.spec ?? {};
  const kind = workloadKind(dataplane);
  const labels = podLabels(gateway);
  const infrastructure = infrastructureOf(gateway);
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: {
      name: gateway.metadata.name,
      namespace: gateway.metadata.namespace ?? "default",
      labels: { ...gatewayLabels(gateway, options.labelFilter), ...infrastructure.labels, ...ownedLabels(gateway) },
      annotations: { ...gatewayAnnotations(gateway), ...infrastructure.annotations, ...relatedAnnotation(name) },
      ownerReferences: [ownerReference(gateway)],
    },
    spec: {
      ...(kind === "Deployment" ? replicas(spec) : {}),
      selector: {
        matchExpressions: Object.entries(labels).map(([key, value]) => ({ key, operator: "In", values: [value] })),
      },
      template: {
        metadata: {
          labels: { ...spec.labels, ...infrastructure.labels, ...labels },
          annotations: { ...spec.annotations, ...infrastructure.annotations, ...relatedAnnotation(name) },
        },
        spec: {
          containers: [container(gateway, spec, options)],
          terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS,
          hostNetwork: spec.hostNetwork ?? false,
          // Otherwise the pod would ask the node's DNS, which does not know the Service of config discovery.
          ...(spec.hostNetwork === true && !isFirstEdition(options) ? { dnsPolicy: "ClusterFirstWithHostNet" } : {}),
          ...optionalPodSettings(spec),
          ...(isReadOnly(spec) ? { volumes: [{ name: TEMPORARY.name, emptyDir: {} }] } : {}),
        },
      },
    },
  };
};
