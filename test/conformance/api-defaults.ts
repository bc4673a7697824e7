/** What an API server fills into the Services and Deployments that it stores, as far as the scenarios show it. */

type Json = Record<string, unknown>;

const asObject = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const asList = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);

/** Node ports that nobody asked for are above this. */
const FIRST_ASSIGNED_NODE_PORT = 32000;

export const isAssignedNodePort = (port: unknown): boolean =>
  typeof port === "number" && port >= FIRST_ASSIGNED_NODE_PORT;

/** A port keeps the node port of the stored port with its name; new ones get one that no Service has. */
export const defaultedServiceSpec = (spec: Json, stored: Json, usedNodePorts: readonly number[]): Json => {
  const type = spec["type"] ?? "ClusterIP";
  const isOutside = type === "NodePort" || type === "LoadBalancer";
  let next = Math.max(FIRST_ASSIGNED_NODE_PORT, ...usedNodePorts) + 1;
  const storedPorts = asList(stored["ports"]);
  const ports = asList(spec["ports"]).map((port) => {
    const kept = storedPorts.find((one) => one["name"] === port["name"])?.["nodePort"];
    return {
      ...port,
      protocol: port["protocol"] ?? "TCP",
      targetPort: port["targetPort"] ?? port["port"],
      ...(isOutside ? { nodePort: port["nodePort"] ?? kept ?? next++ } : {}),
    };
  });
  const sessionAffinity = spec["sessionAffinity"] ?? "None";
  return {
    ...spec,
    type,
    ports,
    sessionAffinity,
    ...(sessionAffinity === "ClientIP" ? { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } } } : {}),
    ...(isOutside ? { externalTrafficPolicy: spec["externalTrafficPolicy"] ?? "Cluster" } : {}),
  };
};

const defaultedContainer = (container: Json): Json => ({
  ...container,
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File",
});

export const defaultedDeploymentSpec = (spec: Json, stored: Json): Json => {
  const template = asObject(spec["template"]);
  const { hostNetwork, ...pod } = asObject(template["spec"]);
  return {
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: 10,
    strategy: { rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" }, type: "RollingUpdate" },
    replicas: stored["replicas"] ?? 1,
    ...spec,
    template: {
      ...template,
      spec: {
        dnsPolicy: "ClusterFirst",
        restartPolicy: "Always",
        schedulerName: "default-scheduler",
        securityContext: {},
        ...pod,
        containers: asList(pod["containers"]).map(defaultedContainer),
        ...(hostNetwork === true ? { hostNetwork } : {}),
      },
    },
  };
};
