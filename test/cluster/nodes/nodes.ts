/** Nodes of a cluster, what connects them, and what makes them useful: a scheduler, DNS, a load balancer. */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { builtProgram, MissingTool, type Say } from "../binaries.ts";
import type { Client } from "../client.ts";
import { whereIs } from "../process.ts";
import { makeCgroup, missingControllers } from "./cgroups.ts";
import { startReaper } from "./reaper.ts";
import { dnsObjects } from "./dns.ts";
import { buildEnforcer } from "./policies.ts";
import { nodeImages } from "./images.ts";
import { startLoadBalancer } from "./load-balancer.ts";
import { routeBetween, startNode, UNINITIALIZED, type RealNode } from "./node.ts";
import { openOutside, type Outside } from "./outside.ts";
import { CNI_PLUGINS, schedulerConfig } from "./settings.ts";
import { DUAL, openWire, run, type Addresses, type FamilyName, type Wire } from "./wire.ts";

export interface Closable {
  close(): Promise<void>;
}

export interface NodesOptions {
  readonly count: number;
  /** How kube-proxy does it; `nftables`, if absent. */
  readonly proxyMode?: "nftables" | "iptables";
  /**
   * They have external addresses as well, as those of a cloud do. `translated`: no interface has them; they are translated, one
   * to one, on the way to clients outside.
   */
  readonly hasExternal?: boolean | "translated";
  /** Of nodes, pods, Services and clients outside; both, IPv4 first, if absent. */
  readonly families?: readonly FamilyName[];
  /** NetworkPolicies apply to pods. */
  readonly enforcesPolicies?: boolean;
  /** Archives of further images. */
  readonly images?: readonly string[];
}

export interface Nodes extends Closable {
  readonly wire: Wire;
  readonly outside: Outside;
  readonly all: readonly RealNode[];
  /** Rejects when a program of a node has ended by itself. */
  readonly failed: Promise<never>;
  /** The command that is the scheduler. */
  readonly scheduler: readonly string[];
  /** As an administrator; arguments go behind it. */
  readonly kubectl: readonly string[];
  /** Resolves once pods run, and names are resolved. */
  ready(client: Client): Promise<void>;
}

/** What nodes are made of, beside what is built. A command may be a path. */
export const nodeTools = [
  { command: "containerd", debian: "containerd", purpose: "runs pods" },
  { command: "runc", debian: "runc", purpose: "runs containers" },
  { command: "nft", debian: "nftables", purpose: "kube-proxy" },
  { command: "iptables", debian: "iptables", purpose: "kube-proxy" },
  { command: "conntrack", debian: "conntrack", purpose: "kube-proxy" },
  { command: "ip", debian: "iproute2", purpose: "networks" },
  { command: "nsenter", debian: "util-linux", purpose: "networks" },
  { command: `${CNI_PLUGINS}/bridge`, debian: "containernetworking-plugins", purpose: "pods' networks" },
] as const;

/** What this machine lacks for nodes, a line each; nothing: it can have them. */
export const missingForNodes = (): readonly string[] => [
  ...(process.platform === "linux" ? [] : ["missing: Linux, whose namespaces nodes are in"]),
  ...(process.getuid?.() === 0 ? [] : ["missing: root, to make networks, mounts and cgroups; sudo npm run cluster"]),
  ...nodeTools
    .filter(({ command }) => whereIs(command) === undefined)
    .map(
      ({ command, debian, purpose }) => `missing: ${command} (${purpose}); on Debian: sudo apt-get install ${debian}`,
    ),
  ...missingControllers().map((name) => `missing: the cgroup controller ${name}, below /sys/fs/cgroup`),
];

/** What a start needs that takes long the first time. @throws MissingTool. */
export const prepareNodes = async (version: string, { enforcesPolicies = false }: NodesOptions, say: Say) => {
  const missing = missingForNodes();
  if (missing.length > 0) throw new MissingTool(missing.join("\n"));
  return {
    program: await builtProgram("node", version, say),
    enforcer: enforcesPolicies ? await buildEnforcer(say) : undefined,
    images: await nodeImages(say),
  };
};

const isTrue = (
  conditions: readonly { readonly type: string; readonly status: string }[] = [],
  name: string,
): boolean => conditions.some(({ type, status }) => type === name && status === "True");

interface WithConditions {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

interface WithName {
  readonly metadata: { readonly name: string };
}

/** What a cloud tells Kubernetes of nodes once they have registered: their addresses, and that they may have pods. */
const introduce = async (
  client: Client,
  kubectl: readonly string[],
  families: readonly FamilyName[],
  nodes: readonly RealNode[],
): Promise<void> => {
  const outer = nodes.flatMap(({ name, addresses, external }) =>
    external === undefined ? [] : [{ name, internal: addresses, external }],
  );
  for (;;) {
    const registered = await client.list<WithName>({ apiVersion: "v1", kind: "Node" });
    if (outer.every(({ name }) => registered.some(({ metadata }) => metadata.name === name))) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const of = (type: string, addresses: Addresses) => families.map((family) => ({ type, address: addresses[family] }));
  for (const { name, internal, external } of outer) {
    const status = { addresses: [...of("InternalIP", internal), ...of("ExternalIP", external)] };
    const patch = ["--subresource=status", "--type=merge", "--patch", JSON.stringify({ status })];
    run([...kubectl, "patch", "node", name, ...patch]);
    run([...kubectl, "taint", "node", name, `${UNINITIALIZED}-`]);
  }
};

/**
 * Starts nodes; they wait for the file `kubeconfig`.
 * @param folder for what they keep; of nobody else.
 * @param temporary a folder to remove once all has ended, however this process ends.
 */
export const startNodes = async (
  { program, enforcer, images }: Awaited<ReturnType<typeof prepareNodes>>,
  options: NodesOptions,
  places: { readonly folder: string; readonly kubeconfig: string; readonly temporary: string | undefined },
): Promise<Nodes> => {
  const { folder, kubeconfig } = places;
  const { families = DUAL } = options;
  const cgroup = `turnpike-${randomBytes(4).toString("hex")}`;
  const reaper = startReaper(cgroup, places.temporary);
  const open: Closable[] = [reaper];
  const close = async (): Promise<void> => {
    for (const one of open.splice(0).toReversed()) await one.close();
  };
  try {
    makeCgroup(cgroup);
    const wire = await openWire();
    open.push(wire);
    reaper.add(wire.link);
    mkdirSync(folder, { recursive: true });
    const scheduler = join(folder, "kube-scheduler.yaml");
    writeFileSync(scheduler, schedulerConfig(kubeconfig));
    const numbers = Array.from({ length: options.count }, (_, index) => index + 1);
    const all = await Promise.all(
      numbers.map(async (number) => {
        const name = `node${number}`;
        makeCgroup(`${cgroup}/${name}`);
        const node = await startNode(wire, {
          name,
          number,
          kubeconfig,
          program,
          enforcer,
          folder: join(folder, name),
          cgroup: `${cgroup}/${name}`,
          proxyMode: options.proxyMode ?? "nftables",
          families,
          images: [...images, ...(options.images ?? [])],
          hasExternal: options.hasExternal ?? false,
        });
        open.push({ close: node.stop });
        return node;
      }),
    );
    routeBetween(wire, families, all);
    const outside = await openOutside(
      wire,
      families,
      all.map(({ addresses }) => addresses),
    );
    for (const { addresses, external } of all)
      for (const family of external === undefined ? [] : families) outside.route(external![family], [addresses]);
    if (options.hasExternal === "translated")
      for (const { addresses, external } of all)
        for (const family of families) outside.translate(external![family], addresses[family]);
    open.push(outside);
    const failed = Promise.race(all.map((node) => node.failed));
    failed.catch(() => undefined);
    const kubectl = [program, "kubectl", `--kubeconfig=${kubeconfig}`];
    return {
      wire,
      outside,
      all,
      failed,
      close,
      scheduler: [program, "kube-scheduler", `--config=${scheduler}`, "--secure-port=0"],
      kubectl,
      async ready(client) {
        for (const object of dnsObjects(families)) await client.apply(object);
        await introduce(client, kubectl, families, all);
        open.push(startLoadBalancer(client, wire, outside, families, () => all));
        const dns = {
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata: { name: "coredns", namespace: "kube-system" },
        };
        for (;;) {
          const nodes = await client.list<WithConditions>({ apiVersion: "v1", kind: "Node" });
          const { status } = await client.get<WithConditions>(dns);
          const up = nodes.filter((node) => isTrue(node.status?.conditions, "Ready"));
          if (up.length === options.count && isTrue(status?.conditions, "Available")) return;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
};
