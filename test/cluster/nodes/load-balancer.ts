/**
 * A load balancer: gives Services of type LoadBalancer an address of each of their families, tells it in their status, and
 * leads what comes from outside to nodes. With `externalTrafficPolicy: Local` these are the nodes whose health check, which
 * kube-proxy answers, says that a pod of the Service is on them.
 */
import { setTimeout as pause } from "node:timers/promises";
import { ApiError, type Client } from "../client.ts";
import type { RealNode } from "./node.ts";
import type { Closable } from "./nodes.ts";
import { routeCommand, type Outside } from "./outside.ts";
import { run, type FamilyName, type Wire } from "./wire.ts";
import { formatHostPort } from "../../../src/net/host-port.ts";

interface Service {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: {
    readonly type?: string;
    readonly ipFamilies?: readonly ("IPv4" | "IPv6")[];
    readonly externalTrafficPolicy?: "Local" | "Cluster";
    readonly healthCheckNodePort?: number;
    readonly loadBalancerClass?: string;
  };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
}

const FIRST = 240;
const LAST = 253;
const EVERY_MS = 200;
const CHECK_MS = 500;

const isHealthy = async (family: FamilyName, { addresses }: RealNode, { spec }: Service): Promise<boolean> => {
  if (spec.externalTrafficPolicy !== "Local") return true;
  try {
    const answer = await fetch(
      `http://${formatHostPort({ host: addresses[family], port: spec.healthCheckNodePort ?? 0 })}/healthz`,
      {
        signal: AbortSignal.timeout(CHECK_MS),
      },
    );
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
};

/** Whether the API server, which may be stopped or replaced at any time, ended the connection or did not accept it. */
const isAway = (error: unknown): boolean => {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: { readonly code?: unknown } };
  return [code, cause?.code].some((one) => /^(?:ECONN|EPIPE|UND_ERR_SOCKET)/.test(String(one)));
};

/** @param nodes those that run, now; they are asked in the first family. */
export const startLoadBalancer = (
  client: Client,
  wire: Wire,
  outside: Outside,
  [family = "v4"]: readonly FamilyName[],
  nodes: () => readonly RealNode[],
): Closable => {
  const hosts = new Map<string, number>();
  const routes = new Map<string, string>();
  const closing = new AbortController();

  const hostOf = (uid: string): number => {
    const there = hosts.get(uid);
    if (there !== undefined) return there;
    const taken = new Set(hosts.values());
    for (let host = FIRST; host <= LAST; host++)
      if (!taken.has(host)) {
        hosts.set(uid, host);
        return host;
      }
    throw new Error("no address is left for another load balancer");
  };

  const lead = (address: string, to: readonly RealNode[]): void => {
    const text = to.map(({ name }) => name).join(" ");
    if (routes.get(address) === text) return;
    const nodesOf = to.map(({ addresses }) => addresses);
    outside.route(address, nodesOf);
    // A route to nowhere belongs to no link, and would stay.
    if (nodesOf.length > 0) run(routeCommand(address, nodesOf, wire.link));
    routes.set(address, text);
  };

  const serve = async (service: Service): Promise<void> => {
    const { v4, v6 } = wire.at(hostOf(service.metadata.uid));
    const { ipFamilies = ["IPv4"] } = service.spec;
    const addresses = ipFamilies.map((family) => (family === "IPv4" ? v4 : v6));
    const asked = nodes();
    const healthy = await Promise.all(asked.map((node) => isHealthy(family, node, service)));
    const to = asked.filter((_, index) => healthy[index]);
    for (const address of addresses) lead(address, to);
    const told = service.status?.loadBalancer?.ingress?.map(({ ip }) => ip) ?? [];
    if (told.join() === addresses.join()) return;
    const ingress = addresses.map((ip) => ({ ip, ipMode: "VIP" }));
    const { name, namespace } = service.metadata;
    const reference = { apiVersion: "v1", kind: "Service", metadata: { name, namespace } };
    await client.patchStatus(reference, { loadBalancer: { ingress } });
  };

  const look = async (): Promise<void> => {
    const all = await client.list<Service>({ apiVersion: "v1", kind: "Service" });
    const ours = all.filter(({ spec }) => spec.type === "LoadBalancer" && spec.loadBalancerClass === undefined);
    const uids = new Set(ours.map(({ metadata }) => metadata.uid));
    for (const uid of hosts.keys()) if (!uids.has(uid)) hosts.delete(uid);
    for (const service of ours) await serve(service);
  };

  const running = (async () => {
    while (!closing.signal.aborted) {
      await look().catch((error: unknown) => {
        // An ApiError: the Service is gone meanwhile.
        if (!(error instanceof ApiError) && !closing.signal.aborted && !isAway(error)) throw error;
      });
      await pause(EVERY_MS, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  })();
  return {
    async close() {
      closing.abort();
      await running.catch(() => undefined);
    },
  };
};
