/** The reference of annotations and labels. A name of `src/resources/names.ts` without a line here does not compile. */
import {
  annotations,
  APP_LABEL,
  APP_LABEL_VALUE,
  DISCOVERY_LABEL,
  OWNED_BY_LABEL,
  OWNED_BY_VALUE,
  RELATED_GATEWAY_NAME,
  RELATED_GATEWAY_NAMESPACE,
  SERVICE_NAME_LABEL,
} from "../src/resources/names.ts";
import { ECHO_ANNOTATION } from "../src/cli/echo.ts";

interface Described {
  readonly values: string;
  readonly what: string;
}

const read: Readonly<Record<keyof typeof annotations, Described>> = {
  serviceType: {
    values: "`ClusterIP`, `NodePort`, `LoadBalancer`",
    what: "type of the Gateway's Service; anything else is `LoadBalancer`",
  },
  enableMixedProtocolLb: {
    values: "`true`, `false`",
    what: "the Service has listeners over UDP and over TCP; off, it has those of the first valid listener's transport",
  },
  externalTrafficPolicy: {
    values: "`local`",
    what: "the Service has `externalTrafficPolicy: Local`, which keeps the addresses of clients",
  },
  disableManagedDataplane: {
    values: "`true`, `false`",
    what: "no Deployment and no DaemonSet is made: the dataplane is run by somebody else, and asks for its config",
  },
  nodePort: {
    values: '`{"LISTENER": PORT}`',
    what: "node ports of the Service, by listener ([which to choose](../guides/node-ports.md)); an entry that is not a port (1 to 65535), or that repeats one of the same transport, is ignored",
  },
  targetPort: {
    values: '`{"LISTENER": PORT}`',
    what: "ports of the dataplane that the Service leads to, by listener; the dataplane listens there. A listener whose entry is not a port (1 to 65535), or is the port of an earlier listener of the same transport, is not served",
  },
  disableHealthCheckExpose: {
    values: "`true`, `false`",
    what: "no port for health checks of the load balancer is put into the Service",
  },
  disableSessionAffinity: {
    values: "`true`, `false`",
    what: "the Service has no session affinity; it has `ClientIP` otherwise, as packets of a client have to meet its allocation",
  },
  relayAddressDiscovery: {
    values: "`true`, `false`",
    what: "clients receive the external address of the node as their relayed address ([public TURN server](../guides/public-turn.md)); read from the Gateway alone",
  },
  ipFamilyPolicy: {
    values: "`SingleStack`, `PreferDualStack`, `RequireDualStack`",
    what: "`ipFamilyPolicy` of the Service",
  },
  ipFamilies: {
    values: "`IPv4`, `IPv6`, `IPv4,IPv6`, `IPv6,IPv4`",
    what: "`ipFamilies` of the Service; Kubernetes does not let the first one change",
  },
  loadBalancerClass: {
    values: "name of a class",
    what: "`loadBalancerClass` of a Service of type LoadBalancer; Kubernetes does not let it change",
  },
  users: {
    values: '`{"blocked": {USER: {"reason": …}}, "kicked": […]}`',
    what: "users whose calls end, and who can make none if they are blocked ([acting on users](../guides/users.md)); read from the Gateway alone, and not copied",
  },
  networkPolicy: {
    values: "`enabled`",
    what: "a NetworkPolicy lets the dataplane's pods reach only the peers of its routes, DNS and config discovery ([details](../guides/firewall.md#a-networkpolicy-for-the-dataplane)). Only on the Gateway itself",
  },
  httpBackends: {
    values: '`{"LISTENER": "SERVICE:PORT"}`',
    what: "Services of the Gateway's namespace to which listeners over TLS and TCP pass on every connection that is not TURN ([port 443](../guides/port-443.md)). Only on the Gateway itself",
  },
  httpBackendProxyProtocol: {
    values: '`{"LISTENER": "v2"}`, `v1`, `none`',
    what: "version of the PROXY header, with the client's address, before each of these connections; `v2` if nothing is set. Only on the Gateway itself",
  },
};

const row = (...cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

export const annotationsPage = (): string => `# Annotations and labels

## Of a Gateway

They are read from the Gateway, and from \`loadBalancerServiceAnnotations\` of its GatewayConfig where it has none itself. One that
begins with \`stunner.l7mp.io/\` or \`turnpike.dev/\` and is not listed here has no effect; \`turnpike lint\` reports it.

| annotation | values | what it does |
| --- | --- | --- |
${Object.entries(read)
  .map(([name, { values, what }]) => row(`\`${annotations[name as keyof typeof annotations]}\``, values, what))
  .join("\n")}

The message of the Gateway's condition \`Accepted\` names each value that is ignored, and \`turnpike lint\` finds it. The rest of
the Gateway is served.

All other annotations of the Gateway are copied to its Service and Deployment, for load balancers and the like.

## Of a Service, in a directory of manifests

| annotation | value | what it does |
| --- | --- | --- |
| \`${ECHO_ANNOTATION}\` | \`ADDRESS:PORT\` | \`turnpike standalone\` echoes there itself |

## On what is made

| name | label or annotation | on | value |
| --- | --- | --- | --- |
${[
  row(
    `\`${OWNED_BY_LABEL}\``,
    "label",
    "Deployment, DaemonSet, Service, NetworkPolicy, ConfigMap",
    `\`${OWNED_BY_VALUE}\`: objects without it are neither changed nor removed`,
  ),
  row(`\`${RELATED_GATEWAY_NAME}\``, "label", "the same, and pods", "name of the Gateway"),
  row(`\`${RELATED_GATEWAY_NAME}\``, "annotation", "the same", "`NAMESPACE/NAME` of the Gateway"),
  row(`\`${RELATED_GATEWAY_NAMESPACE}\``, "label", "the same, and pods", "namespace of the Gateway"),
  row(`\`${APP_LABEL}\``, "label", "pods of dataplanes", `\`${APP_LABEL_VALUE}\``),
  row(
    `\`${DISCOVERY_LABEL}\``,
    "label",
    "pods of the operator, by the chart",
    "`enabled`: tools find config discovery by it",
  ),
].join("\n")}

Endpoints of a Service are found by the label \`${SERVICE_NAME_LABEL}\` of its EndpointSlices.
`;
