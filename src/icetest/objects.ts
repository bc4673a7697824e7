/** The objects of an ICE test in a cluster; the names are those of STUNner's test. */

export type Transport = "udp" | "tcp";

export interface ClusterObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export interface TestSettings {
  readonly namespace: string;
  readonly transports: readonly Transport[];
  readonly controllerName: string;
  /** Of the remote end. */
  readonly image: string;
  /** The secret for credentials of clients. */
  readonly sharedSecret: string;
  /** The token of WHIP requests. */
  readonly bearerToken: string;
  readonly offloadEngine: string;
  /** The Dataplane `default`: the test's is a copy of it. */
  readonly dataplane: Readonly<Record<string, unknown>>;
}

const DATAPLANE = "icetester-dataplane";
const CLASS = "icetest-gatewayclass";
export const BACKEND = "icetest-backend";
export const WHIP_PORT = 8089;
export const TURN_PORT = 3478;
const CONFIG = "icetest-gatewayconfig";
const LABELS = { app: BACKEND };

export const gatewayOf = (transport: Transport): string => `icetest-${transport}-gateway`;

/** In order of creation; they are removed in reverse order. */
export const objectsOf = (settings: TestSettings): readonly ClusterObject[] => {
  const { namespace, transports, controllerName, image, sharedSecret, bearerToken } = settings;
  const inIt = (name: string): ClusterObject["metadata"] => ({ name, namespace });
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    {
      apiVersion: "stunner.l7mp.io/v1",
      kind: "Dataplane",
      metadata: { name: DATAPLANE },
      spec: {
        ...settings.dataplane,
        replicas: 1,
        terminationGracePeriodSeconds: 0,
        resources: { limits: { cpu: "250m", memory: "256Mi" }, requests: { cpu: "250m", memory: "256Mi" } },
        offloadEngine: settings.offloadEngine,
        ...(settings.offloadEngine !== "None" && {
          containerSecurityContext: { capabilities: { add: ["NET_ADMIN", "SYS_ADMIN", "SYS_MODULE"] } },
        }),
      },
    },
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "GatewayClass",
      metadata: { name: CLASS },
      spec: {
        controllerName,
        parametersRef: { group: "stunner.l7mp.io", kind: "GatewayConfig", name: CONFIG, namespace },
      },
    },
    {
      apiVersion: "stunner.l7mp.io/v1",
      kind: "GatewayConfig",
      metadata: inIt(CONFIG),
      spec: { realm: "icetest.l7mp.io", authType: "ephemeral", sharedSecret, dataplane: DATAPLANE },
    },
    ...transports.map((transport): ClusterObject => ({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "Gateway",
      metadata: inIt(gatewayOf(transport)),
      spec: {
        gatewayClassName: CLASS,
        listeners: [{ name: `${transport}-listener`, port: TURN_PORT, protocol: `TURN-${transport.toUpperCase()}` }],
      },
    })),
    {
      apiVersion: "stunner.l7mp.io/v1",
      kind: "UDPRoute",
      metadata: inIt("icetest-route"),
      spec: {
        parentRefs: transports.map((transport) => ({ name: gatewayOf(transport) })),
        // In the symmetric test both ends have relayed addresses, which are the dataplanes' own: these are named, too.
        rules: [
          { backendRefs: [{ name: BACKEND }, ...transports.map((transport) => ({ name: gatewayOf(transport) }))] },
        ],
      },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...inIt(BACKEND), labels: LABELS },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: "icetester",
            image,
            command: ["icetester"],
            args: [`--addr=:${WHIP_PORT}`],
            env: [{ name: "BEARER_TOKEN", value: bearerToken }],
            ports: [{ name: "whip", containerPort: WHIP_PORT }],
            readinessProbe: { tcpSocket: { port: WHIP_PORT }, periodSeconds: 1 },
          },
        ],
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: inIt(BACKEND),
      spec: { selector: LABELS, ports: [{ name: "whip", port: WHIP_PORT, protocol: "TCP" }] },
    },
  ];
};
