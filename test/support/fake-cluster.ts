/** Of a cluster what command line tools ask for: pods by label, and ports of theirs forwarded as an API server does it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocketServer, type WebSocket } from "ws";

export interface FakePod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What answers at the pod's ports: by number, a port of this machine. */
  readonly ports: Readonly<Record<number, number>>;
  readonly phase?: string;
  readonly isReady?: boolean;
}

export interface FakeCluster {
  /** Path of a kubeconfig that leads to it. */
  readonly kubeconfig: string;
  pods: readonly FakePod[];
  /** Paths that were asked for. */
  readonly asked: readonly string[];
  /** Breaks all forwarded connections. */
  cut(): void;
  stop(): Promise<void>;
}

const TOKEN = "token-of-a-user";

const podObject = ({ namespace, name, labels, phase = "Running", isReady = true }: FakePod) => ({
  metadata: { namespace, name, labels },
  status: { phase, podIP: "10.1.2.3", conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] },
});

/** Channel 0 is the port's data, 1 its errors; each begins with the number of the port. */
const forward = (socket: WebSocket, port: number, target: number | undefined): void => {
  const number = Buffer.alloc(2);
  number.writeUInt16LE(port);
  const send = (channel: number, bytes: Buffer): void => socket.send(Buffer.concat([Buffer.from([channel]), bytes]));
  send(0, number);
  send(1, number);
  if (target === undefined) {
    send(1, Buffer.from(`nothing listens at ${port}`));
    return;
  }
  const onward = connect(target, "127.0.0.1");
  onward.on("error", (error) => send(1, Buffer.from(error.message)));
  onward.on("data", (chunk: Buffer) => send(0, chunk));
  onward.on("close", () => socket.close());
  socket.on("message", (data: Buffer) => {
    if (data[0] === 0) onward.write(data.subarray(1));
  });
  socket.on("close", () => onward.destroy());
};

export const startFakeCluster = async (): Promise<FakeCluster> => {
  const asked: string[] = [];
  const cluster = { pods: [] as readonly FakePod[] };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://cluster");
    asked.push(url.pathname);
    const [, namespace] = /^\/api\/v1(?:\/namespaces\/([^/]+))?\/pods$/.exec(url.pathname) ?? [];
    const wanted = (url.searchParams.get("labelSelector") ?? "").split(",").map((one) => one.split("="));
    const isAllowed = request.headers.authorization === `Bearer ${TOKEN}`;
    const items = cluster.pods
      .filter((pod) => namespace === undefined || pod.namespace === namespace)
      .filter((pod) => wanted.every(([label = "", value]) => pod.labels[label] === value))
      .map(podObject);
    const refusal = { kind: "Status", reason: "Forbidden", message: "pods is forbidden" };
    response.writeHead(isAllowed ? 200 : 403, { "content-type": "application/json" });
    response.end(JSON.stringify(isAllowed ? { items } : refusal));
  });
  const upgrader = new WebSocketServer({ noServer: true, handleProtocols: () => "v4.channel.k8s.io" });
  server.on("upgrade", (request, socket, head) => {
    const url = new URL(request.url ?? "/", "http://cluster");
    asked.push(url.pathname);
    const [, namespace, name] = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/portforward$/.exec(url.pathname) ?? [];
    const pod = cluster.pods.find((one) => one.namespace === namespace && one.name === name);
    if (pod === undefined || request.headers.authorization !== `Bearer ${TOKEN}`) {
      socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n");
      return;
    }
    const port = Number(url.searchParams.get("ports"));
    upgrader.handleUpgrade(request, socket, head, (opened) => forward(opened, port, pod.ports[port]));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const at = typeof address === "object" && address !== null ? address.port : 0;
  const folder = mkdtempSync(join(tmpdir(), "turnpike-cluster-"));
  const kubeconfig = join(folder, "kubeconfig");
  const context = (name: string, namespace: string) => ({ name, context: { cluster: "fake", user: "me", namespace } });
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "media",
      clusters: [{ name: "fake", cluster: { server: `http://127.0.0.1:${at}`, "insecure-skip-tls-verify": true } }],
      users: [{ name: "me", user: { token: TOKEN } }],
      contexts: [context("media", "media"), context("elsewhere", "elsewhere")],
    }),
  );
  return {
    kubeconfig,
    get pods() {
      return cluster.pods;
    },
    set pods(pods) {
      cluster.pods = pods;
    },
    asked,
    cut() {
      for (const client of upgrader.clients) client.terminate();
    },
    async stop() {
      rmSync(folder, { recursive: true });
      for (const client of upgrader.clients) client.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
