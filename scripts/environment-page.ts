/** The reference of environment variables. `test/docs/environment.test.ts` compares it with what the program reads. */

type Who = "operator" | "dataplane" | "tools" | "icetester" | "authd";

export const variables: Readonly<Record<string, { readonly of: Who; readonly what: string }>> = {
  CDS_SERVER_ADDR: { of: "dataplane", what: "default of `--cds-server-address`" },
  CDS_SERVER_NAMESPACE: { of: "dataplane", what: "default of `--cds-server-namespace`" },
  CDS_SERVER_PORT: { of: "dataplane", what: "default of `--cds-server-port`" },
  STUNNER_GATEWAY_OPERATOR_ADDRESS: {
    of: "operator",
    what: "where dataplanes fetch their configs: HOST, HOST:PORT, IPv6 or [IPv6]:PORT; the port is that of `--config-discovery-address` unless given",
  },
  STUNNER_GATEWAY_OPERATOR_CLUSTER_DOMAIN: { of: "operator", what: "default of `--cluster-domain`" },
  STUNNER_GATEWAY_OPERATOR_CONTROLLER_NAME: { of: "operator", what: "default of `--controller-name`" },
  STUNNER_GATEWAY_OPERATOR_DATAPLANE_MODE: { of: "operator", what: "counts where `--dataplane-mode` is not given" },
  STUNNER_GATEWAY_OPERATOR_POD_DELETION_COST: { of: "operator", what: "default of `--pod-deletion-cost`" },
  STUNNER_GATEWAY_OPERATOR_PPROF_BIND_ADDRESS: { of: "operator", what: "default of `--pprof-bind-address`" },
  STUNNER_GATEWAY_OPERATOR_LABEL_FILTER: {
    of: "operator",
    what: "`NAME,…`: labels of Gateways that are not copied, in place of those of deployment tools; empty: all are copied",
  },
  POD_NAMESPACE: { of: "operator", what: "namespace of its Lease, where `--leader-election-namespace` is not given" },
  STUNNER_CONFIG_ORIGIN: { of: "dataplane", what: "where its config comes from, where `--config` is not given" },
  STUNNER_NAME: { of: "dataplane", what: "name of its Gateway" },
  STUNNER_NAMESPACE: { of: "dataplane", what: "namespace of its Gateway" },
  STUNNER_NODENAME: { of: "dataplane", what: "node that it runs on, told to config discovery" },
  STUNNER_ADDR: { of: "dataplane", what: "what `$STUNNER_ADDR` in its config stands for: the pod's address" },
  STUNNER_PORT: { of: "dataplane", what: "what `$STUNNER_PORT` in a config of a file stands for" },
  STUNNER_PUBLIC_PORT: { of: "dataplane", what: "what `$STUNNER_PUBLIC_PORT` in a config of a file stands for" },
  STUNNER_PUBLIC_ADDR: {
    of: "authd",
    what: "address that clients use instead of the Gateways' own; for a dataplane, the value of `$STUNNER_PUBLIC_ADDR`",
  },
  TURNPIKE_ACCOUNTING_TOKEN: {
    of: "dataplane",
    what: "bearer token for the receiver of [accounting](../guides/accounting.md), where `--accounting-token-file` is not given",
  },
  TURNPIKE_DISCOVERY: { of: "tools", what: "default of `--discovery`" },
  TURNPIKE_USER: { of: "tools", what: "default of `--user` of `probe` and `--username` of `connect`" },
  TURNPIKE_PASSWORD: { of: "tools", what: "default of `--password`, which else stands in the list of processes" },
  TURNPIKE_SECRET: { of: "tools", what: "default of `connect --secret`" },
  ICE_SERVERS: { of: "icetester", what: "JSON list of its ICE servers" },
  ICE_TRANSPORT_POLICY: { of: "icetester", what: "`all` or `relay`" },
  BEARER_TOKEN: { of: "icetester", what: "what WHIP requests have to present" },
  WHIP_ENDPOINT: { of: "icetester", what: "path of WHIP requests; `/whip`" },
};

export const environmentPage = (): string => `# Environment

| variable | read by | what it is |
| --- | --- | --- |
${Object.entries(variables)
  .map(([name, { of, what }]) => `| \`${name}\` | ${of} | ${what} |`)
  .join("\n")}

\`KUBECONFIG\` counts as for kubectl. The operator gives the pods of dataplanes \`STUNNER_ADDR\`, \`STUNNER_NAME\`,
\`STUNNER_NAMESPACE\`, \`STUNNER_NODENAME\` and \`STUNNER_CONFIG_ORIGIN\`, and then what \`env\` of the Dataplane says.
Traces are set up by the variables of OpenTelemetry (\`OTEL_…\`): [monitoring](../guides/monitoring.md).
`;
