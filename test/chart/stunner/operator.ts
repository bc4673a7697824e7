/**
 * Stands in for STUNner's operator, for the one Gateway of the recorded scenario `basic-udp`: it writes what was recorded
 * of the real one, by the rules it was seen to follow (a merge patch of what differs, and of nothing else), and serves the
 * recorded config. Ours has no part in what it writes.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as after } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { startDiscovery } from "../../../src/discovery/server.ts";
import type { DataplaneConfig } from "../../../src/resources/dataplane-config.ts";
import { Client, orAbsent, type Literal, type Reference } from "../../cluster/client.ts";
import { scenarios } from "../../conformance/scenario.ts";

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const NAMESPACE = "stunner";
const LOOK_MS = 100;
const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, STUNNER_GATEWAY_OPERATOR_ADDRESS } = process.env;

const client = new Client({
  url: `https://${host}:${port}`,
  token: readFileSync(`${ACCOUNT}/token`, "utf8"),
  ca: readFileSync(`${ACCOUNT}/ca.crt`, "utf8"),
});

type Json = Readonly<Record<string, unknown>>;
interface Container extends Json {
  readonly env: readonly { readonly name: string; readonly value?: string }[];
}
interface Recorded {
  readonly metadata: Json & { readonly ownerReferences: readonly Json[] };
  readonly spec: Json;
}
interface Workload extends Recorded {
  readonly spec: Json & {
    readonly template: {
      readonly metadata: { readonly labels: Json; readonly annotations: Json };
      readonly spec: Json & { readonly containers: readonly Container[] };
    };
  };
}

const recorded = scenarios.find(({ name }) => name === "basic-udp")!.stages[0]!.expect;
const config = recorded.configs["stunner/gw"] as DataplaneConfig;
const service = recorded.objects["Service/stunner/gw"] as Recorded & {
  readonly spec: { readonly ports: readonly Json[] };
};
const workload = recorded.objects["Deployment/stunner/gw"] as Workload;

const at = (apiVersion: string, kind: string, name = "gw", namespace: string | undefined = NAMESPACE): Reference => ({
  apiVersion,
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
});
const DEPLOYMENT = at("apps/v1", "Deployment");
const SERVICE = at("v1", "Service");
const GATEWAY = at("gateway.networking.k8s.io/v1", "Gateway");
const CLASS = { ...at("gateway.networking.k8s.io/v1", "GatewayClass", "media"), metadata: { name: "media" } };

interface DataplaneSpec {
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly resources: Json;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext?: Json;
  readonly containerSecurityContext?: Json;
}

/** As recorded, with what the Dataplane says in its place, and our own address. */
const wantedDeployment = (spec: DataplaneSpec, owner: Json): Literal => {
  const { template, selector } = workload.spec;
  const [container] = template.spec.containers;
  const { image, imagePullPolicy, command, args, resources, terminationGracePeriodSeconds } = spec;
  const { securityContext, containerSecurityContext } = spec;
  const env = container!.env.map((one) =>
    one.name === "STUNNER_CONFIG_ORIGIN" ? { ...one, value: `http://${STUNNER_GATEWAY_OPERATOR_ADDRESS}:13478` } : one,
  );
  const { terminationMessagePath: _, terminationMessagePolicy: __, ...rest } = container!;
  return {
    ...DEPLOYMENT,
    metadata: { ...DEPLOYMENT.metadata, ...workload.metadata, ...DEPLOYMENT.metadata, ownerReferences: [owner] },
    spec: {
      selector,
      template: {
        metadata: template.metadata,
        spec: {
          containers: [
            {
              ...rest,
              image,
              imagePullPolicy,
              command,
              args,
              resources,
              env,
              ...(containerSecurityContext && { securityContext: containerSecurityContext }),
            },
          ],
          terminationGracePeriodSeconds,
          ...(securityContext && { securityContext }),
        },
      },
    },
  };
};

/** What of `wanted` is otherwise in `found`, down to lists, which are taken whole. */
const differing = (wanted: unknown, found: unknown): boolean => {
  if (Array.isArray(wanted))
    return (
      !Array.isArray(found) ||
      wanted.length !== found.length ||
      wanted.some((one, index) => differing(one, found[index]))
    );
  if (typeof wanted !== "object" || wanted === null) return !isDeepStrictEqual(wanted, found);
  return Object.entries(wanted).some(([key, value]) => differing(value, (found as Json | undefined)?.[key]));
};

interface Template {
  readonly metadata: { readonly labels: Json; readonly annotations?: Json };
  readonly spec: { readonly containers: readonly Json[] };
}

/** A container keeps the security context that it has where none is asked for. */
const keepingContext = (wanted: Literal, found: Template | undefined): Literal => {
  const kept = found?.spec.containers[0]?.["securityContext"];
  const { template, ...spec } = wanted["spec"] as { readonly template: Workload["spec"]["template"] };
  const containers = template.spec.containers.map((one) =>
    kept === undefined || "securityContext" in one ? one : { ...one, securityContext: kept },
  );
  return { ...wanted, spec: { ...spec, template: { ...template, spec: { ...template.spec, containers } } } };
};

const upsert = async (
  wanted: Literal,
  adapt: (found: { readonly spec: { readonly template: Template } }) => Literal = () => wanted,
): Promise<void> => {
  const found = await client.get<{ readonly spec: { readonly template: Template } }>(wanted).catch(orAbsent);
  if (found === undefined) {
    const path = (await client.pathOf(wanted)).replace(/\/[^/]+$/, "");
    await client.request(path, { method: "POST", body: wanted });
    return;
  }
  const adapted = adapt(found);
  if (differing(adapted, found)) await client.patch(wanted, adapted);
};

const isTrue = (type: string, status: string, reason: string, generation: number): Json => ({
  type,
  status,
  reason,
  message: "by STUNner's stand-in",
  observedGeneration: generation,
  lastTransitionTime: new Date().toISOString(),
});

interface Found {
  readonly metadata: { readonly uid: string; readonly generation: number };
  readonly status?: { readonly conditions?: readonly { readonly message: string }[] };
}

const isSaid = ({ status }: Found): boolean =>
  status?.conditions?.some(({ message }) => message.includes("stand-in")) === true;

const render = async (): Promise<void> => {
  const [gateway, gatewayClass] = await Promise.all([client.get<Found>(GATEWAY), client.get<Found>(CLASS)]);
  const { spec } = await client.get<{ readonly spec: DataplaneSpec }>({
    ...at("stunner.l7mp.io/v1", "Dataplane", "default"),
    metadata: { name: "default" },
  });
  const owner = { ...workload.metadata.ownerReferences[0], uid: gateway.metadata.uid };
  const wanted = wantedDeployment(spec, owner);
  await upsert(wanted, (found) => keepingContext(wanted, found.spec.template));
  const { sessionAffinityConfig: _, ...serviceSpec } = service.spec;
  const ports = service.spec.ports.map(({ nodePort: __, ...one }) => one);
  await upsert({
    ...SERVICE,
    metadata: { ...service.metadata, ...SERVICE.metadata, ownerReferences: [owner] },
    spec: { ...serviceSpec, ports },
  });
  if (!isSaid(gatewayClass))
    await client.patchStatus(CLASS, {
      conditions: [isTrue("Accepted", "True", "Accepted", gatewayClass.metadata.generation)],
    });
  if (!isSaid(gateway))
    await client.patchStatus(GATEWAY, {
      conditions: [
        isTrue("Accepted", "True", "Accepted", gateway.metadata.generation),
        isTrue("Programmed", "False", "AddressNotAssigned", gateway.metadata.generation),
      ],
    });
  const slices = await client.list<{ readonly endpoints: readonly { readonly addresses: readonly string[] }[] | null }>(
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      namespace: NAMESPACE,
      labelSelector: "kubernetes.io/service-name=media",
    },
  );
  const endpoints = slices.flatMap((slice) => (slice.endpoints ?? []).flatMap(({ addresses }) => addresses));
  discovery.set("stunner/gw", { ...config, clusters: [{ ...config.clusters![0]!, endpoints }] });
};

const discovery = await startDiscovery({
  host: "0.0.0.0",
  port: 13_478,
  addressesOfNode: () => [],
  isReady: () => true,
});
createServer((_, response) => response.end("ok")).listen(8081);
process.on("SIGTERM", () => process.exit(0));
for (;;) {
  // Before the Gateway is there, and while the API server is busy, it looks again.
  await render().catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
  await after(LOOK_MS);
}
