/** The API server as pods know it: at the address of the Service `kubernetes`, with the token of their service account. */
import { mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { once } from "node:events";
import { joinSockets } from "../support/join-sockets.ts";
import { addAddress, type Mounts } from "../support/network.ts";
import type { Client } from "./client.ts";
import type { Cluster } from "./cluster.ts";

/** The first of the cluster's range for Services; the server's certificate is for it, too. */
const ADDRESS = "10.96.0.1";
const PORT = 443;
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface PodAccess {
  /** PEM of the API server. */
  readonly ca: string;
  close(): Promise<void>;
}

interface Asking {
  readonly metadata: { readonly namespace: string };
  readonly spec: { readonly serviceAccountName?: string; readonly automountServiceAccountToken?: boolean };
}

/** Needs a network of our own (`enterOwnNetwork`). */
export const openPodAccess = async ({ url, ca }: Cluster): Promise<PodAccess> => {
  const { hostname, port } = new URL(url);
  addAddress(ADDRESS);
  const sockets = new Set<Socket>();
  const server: Server = createServer((inner) => joinSockets(inner, connect(Number(port), hostname), sockets));
  server.listen(PORT, ADDRESS);
  await once(server, "listening");
  return {
    ca,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

/** What a kubelet puts into a pod for its service account; nothing where the pod wants none. */
export const accountIn = async (
  client: Client,
  { metadata: { namespace }, spec }: Asking,
  { ca }: PodAccess,
  folder: string,
): Promise<{ readonly mounts: Mounts; readonly environment: Readonly<Record<string, string>> } | undefined> => {
  const { serviceAccountName: name } = spec;
  if (name === undefined || spec.automountServiceAccountToken === false) return undefined;
  const { status } = await client.request<{ readonly status: { readonly token: string } }>(
    `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    { method: "POST", body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} } },
  );
  mkdirSync(folder, { recursive: true });
  const files = { "ca.crt": ca, token: status.token, namespace };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  return {
    mounts: { [ACCOUNT]: folder },
    environment: { KUBERNETES_SERVICE_HOST: ADDRESS, KUBERNETES_SERVICE_PORT: String(PORT) },
  };
};
