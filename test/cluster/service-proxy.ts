/**
 * Services as pods know them, in a network of our own: names that resolve to their addresses, by a hosts file, and TCP to
 * these addresses that reaches pods that are ready. A kube-proxy and a DNS server for tests. A Service that has UDP alone
 * resolves to one of its pods.
 */
import { writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { setTimeout as after } from "node:timers/promises";
import { joinSockets } from "../support/join-sockets.ts";
import { addAddress } from "../support/network.ts";
import type { Client } from "./client.ts";

interface Service {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: {
    readonly clusterIP?: string;
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[];
  };
}

interface Slice {
  readonly metadata: { readonly namespace: string; readonly labels?: Readonly<Record<string, string>> };
  readonly ports: readonly { readonly name?: string; readonly port?: number }[] | null;
  readonly endpoints:
    | readonly { readonly addresses: readonly string[]; readonly conditions?: { readonly ready?: boolean } }[]
    | null;
}

export interface ServiceProxy {
  /** To be mounted at `/etc/hosts`. */
  readonly hostsFile: string;
  close(): Promise<void>;
}

const LOOK_MS = 50;

/** Needs a network of our own (`enterOwnNetwork`). */
export const startServiceProxy = async (client: Client, hostsFile: string): Promise<ServiceProxy> => {
  const closing = new AbortController();
  const addresses = new Set<string>();
  const servers = new Map<string, Server>();
  const sockets = new Set<Socket>();
  /** `ADDRESS:PORT` of what is ready behind a Service's port, `ADDRESS:PORT` too. */
  let backends = new Map<string, readonly (readonly [host: string, port: number])[]>();
  let turn = 0;

  const forward = (at: string, inner: Socket): void => {
    const all = backends.get(at) ?? [];
    const [host, port] = all[(turn += 1) % Math.max(all.length, 1)] ?? [];
    if (host === undefined || port === undefined) return void inner.destroy();
    joinSockets(inner, connect(port, host), sockets);
  };

  const listen = async (address: string, port: number): Promise<void> => {
    const at = `${address}:${port}`;
    if (servers.has(at)) return;
    if (!addresses.has(address)) addAddress(address);
    addresses.add(address);
    const server = createServer((socket) => forward(at, socket));
    servers.set(at, server);
    server.listen(port, address);
    await once(server, "listening");
  };

  const look = async (): Promise<void> => {
    const [services, slices] = await Promise.all([
      client.list<Service>({ apiVersion: "v1", kind: "Service" }),
      client.list<Slice>({ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" }),
    ]);
    const served = services.filter(
      ({ metadata, spec }) => metadata.name !== "kubernetes" && /^\d/.test(spec.clusterIP ?? ""),
    );
    const next: typeof backends = new Map();
    const lines: string[] = [];
    for (const { metadata, spec } of served) {
      const own = slices.filter(
        (slice) =>
          slice.metadata.namespace === metadata.namespace &&
          slice.metadata.labels?.["kubernetes.io/service-name"] === metadata.name,
      );
      const ready = own.flatMap(({ ports, endpoints }) =>
        (endpoints ?? [])
          .filter(({ conditions }) => conditions?.ready !== false)
          .map(({ addresses: [address] }) => ({ address: address!, ports: ports ?? [] })),
      );
      const tcp = (spec.ports ?? []).filter(({ protocol = "TCP" }) => protocol === "TCP");
      const resolved = tcp.length > 0 ? spec.clusterIP : ready[0]?.address;
      const name = `${metadata.name}.${metadata.namespace}.svc`;
      if (resolved !== undefined) lines.push(`${resolved} ${name}`);
      for (const { name: portName = "", port } of tcp) {
        await listen(spec.clusterIP!, port);
        const reached = ready.flatMap(({ address, ports }) => {
          const target = ports.find((one) => (one.name ?? "") === portName)?.port;
          return target === undefined ? [] : [[address, target] as const];
        });
        next.set(`${spec.clusterIP}:${port}`, reached);
      }
    }
    backends = next;
    writeFileSync(hostsFile, ["127.0.0.1 localhost", ...lines, ""].join("\n"));
  };

  const work = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await look();
      await after(LOOK_MS);
    }
  };
  await look();
  const working = work();
  return {
    hostsFile,
    async close() {
      closing.abort();
      await working;
      for (const socket of sockets) socket.destroy();
      await Promise.all([...servers.values()].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
};
