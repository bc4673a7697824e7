/** Config discovery in this process: configs, a server, and a watcher that collects what it receives. */
import { WebSocket, type ClientOptions } from "ws";
import type { DataplaneConfig, ListenerConfig } from "../../src/resources/dataplane-config.ts";
import {
  startDiscovery,
  type DiscoveryOptions,
  type DiscoveryReport,
  type DiscoveryServer,
} from "../../src/discovery/server.ts";

export const listenerAt = (name: string, address = "$STUNNER_ADDR"): ListenerConfig => ({
  name,
  protocol: "TURN-UDP",
  address,
  port: 3478,
});

/** A sound config of gateway `id`; `realm` tells one state from another. */
export const configOf = (id: string, realm = "one", more: Partial<DataplaneConfig> = {}): DataplaneConfig => ({
  version: "v1",
  admin: { name: id, loglevel: "all:INFO", healthcheck_endpoint: "http://:8086", offload_engine: "None" },
  auth: { type: "static", realm, credentials: { username: "user", password: "pa$$" } },
  listeners: [listenerAt(`${id}/udp`)],
  clusters: [{ name: "ns/route", type: "STATIC", protocol: "UDP", endpoints: ["10.0.0.1:<1-2>"] }],
  ...more,
});

/** A config of more than `bytes` bytes. */
export const largeConfig = (id: string, realm: string, bytes: number): DataplaneConfig =>
  configOf(id, realm, {
    clusters: [{ name: "ns/route", type: "STRICT_DNS", protocol: "UDP", endpoints: ["x".repeat(bytes)] }],
  });

export interface Running extends DiscoveryServer {
  readonly reports: readonly DiscoveryReport[];
  /** `http://HOST:PORT`. */
  readonly origin: string;
}

export const start = async (options: Partial<DiscoveryOptions> = {}): Promise<Running> => {
  const reports: DiscoveryReport[] = [];
  const server = await startDiscovery({
    host: "127.0.0.1",
    port: 0,
    addressesOfNode: () => [],
    isReady: () => true,
    report: (event) => reports.push(event),
    ...options,
  });
  const origin = `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${server.port}`;
  return { ...server, reports, origin };
};

export interface TestWatcher {
  readonly socket: WebSocket;
  /** `NAMESPACE/NAME=REALM`, and `-NAMESPACE/NAME` for a zero config, in the order of frames. */
  readonly told: string[];
  readonly frames: string[];
  /** Resolves when all that the server had to say before this call has arrived. */
  settled(): Promise<void>;
  /** What was reported since the last call. */
  news(): Promise<readonly string[]>;
}

const wordOf = (frame: string): string => {
  const { admin, auth }: DataplaneConfig = JSON.parse(frame);
  return auth.credentials["username"] === "dummy-username" ? `-${admin.name}` : `${admin.name}=${auth.realm}`;
};

/** Opens a watch of `path` (below `/api/v1/configs`). */
export const watchPath = async (server: Running, path = "", options: ClientOptions = {}): Promise<TestWatcher> => {
  const query = path.includes("?") ? "&watch=true" : "?watch=true";
  const socket = new WebSocket(`${server.origin.replace("http", "ws")}/api/v1/configs${path}${query}`, options);
  const frames: string[] = [];
  const told: string[] = [];
  socket.on("message", (data: Buffer) => {
    frames.push(data.toString());
    told.push(wordOf(data.toString()));
  });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  const roundTrip = (): Promise<void> =>
    new Promise((resolve) => {
      socket.once("pong", () => resolve());
      socket.ping();
    });
  const settled = async (): Promise<void> => {
    // The first trip outlasts the turn in which the server collects what it has to say.
    await roundTrip();
    await roundTrip();
  };
  return {
    socket,
    told,
    frames,
    settled,
    async news() {
      await settled();
      return told.splice(0);
    },
  };
};

/** The status that a refused watch of `path` is answered with. */
export const refusedWatch = (server: Running, path: string, options: ClientOptions = {}): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`${server.origin.replace("http", "ws")}${path}`, options);
    socket.once("open", () => reject(new Error(`${path} was not refused`)));
    socket.once("error", reject);
    socket.once("unexpected-response", (_, response) => {
      resolve(response.statusCode);
      response.destroy();
    });
  });
