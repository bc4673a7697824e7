/**
 * Schemas of Kubernetes' built-in kinds, as far as Turnpike reads them. Everything else in them is accepted, and `null`
 * counts as absent, as for an API server.
 */
const text = { type: "string" };
const labels = { type: ["object", "null"], additionalProperties: text };
const port = { type: "integer", minimum: 1, maximum: 65535 };
const ip = { type: "string", format: "ip" };

const listOf = (items: unknown): unknown => ({ type: ["array", "null"], items });

const objectOf = (properties: Readonly<Record<string, unknown>>, required: readonly string[] = []): unknown => ({
  type: ["object", "null"],
  properties,
  required,
});

export const metadataSchema = {
  type: "object",
  required: ["name"],
  properties: {
    name: { type: "string", minLength: 1, maxLength: 253 },
    namespace: { type: "string", maxLength: 63 },
    labels,
    annotations: labels,
  },
};

const kind = (
  properties: Readonly<Record<string, unknown>>,
  rest: Readonly<Record<string, unknown>> = {},
): unknown => ({
  type: "object",
  required: ["apiVersion", "kind", "metadata"],
  ...rest,
  properties: { apiVersion: text, kind: text, metadata: metadataSchema, ...properties },
});

const endpointPort = objectOf({ name: { type: ["string", "null"] }, port: { type: ["integer", "null"] } });

const servicePort = {
  type: "object",
  required: ["port"],
  properties: {
    name: { type: ["string", "null"] },
    protocol: { enum: ["UDP", "TCP", "SCTP", null] },
    port,
    targetPort: { type: ["integer", "string", "null"] },
    nodePort: { type: ["integer", "null"], minimum: 0, maximum: 65535 },
  },
};

const subset = objectOf({
  addresses: listOf({ type: "object", required: ["ip"], properties: { ip } }),
  notReadyAddresses: listOf({ type: "object", required: ["ip"], properties: { ip } }),
  ports: listOf({ type: "object", required: ["port"], properties: { port } }),
});

const condition = { type: ["boolean", "null"] };

/** An address is a host name only in a slice of type FQDN. */
const endpointSlice = kind(
  {
    addressType: { enum: ["IPv4", "IPv6", "FQDN"] },
    endpoints: listOf({
      type: "object",
      required: ["addresses"],
      properties: {
        addresses: { type: "array", minItems: 1, maxItems: 100, items: { type: "string", minLength: 1 } },
        nodeName: { type: ["string", "null"] },
        conditions: objectOf({ ready: condition, serving: condition, terminating: condition }),
      },
    }),
    ports: listOf(endpointPort),
  },
  {
    required: ["apiVersion", "kind", "metadata", "addressType"],
    if: { properties: { addressType: { enum: ["IPv4", "IPv6"] } } },
    // oxlint-disable-next-line unicorn/no-thenable -- a JSON schema keyword
    then: { properties: { endpoints: listOf({ properties: { addresses: { items: ip } } }) } },
  },
);

/** By kind id. */
export const coreSchemas: Readonly<Record<string, unknown>> = {
  Service: kind({
    spec: objectOf({
      type: { enum: ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName", null] },
      clusterIP: { type: ["string", "null"], format: "cluster-ip" },
      selector: labels,
      ports: listOf(servicePort),
    }),
  }),
  Endpoints: kind({ subsets: listOf(subset) }),
  EndpointSlice: endpointSlice,
  Secret: kind({ type: { type: ["string", "null"] }, data: labels, stringData: labels }),
  Namespace: kind({}),
  Node: kind({
    status: objectOf({
      addresses: listOf({ type: "object", required: ["type", "address"], properties: { type: text, address: text } }),
    }),
  }),
  Deployment: kind({}),
  DaemonSet: kind({}),
  NetworkPolicy: kind({}),
  ConfigMap: kind({ data: labels }),
};
