/** Ports that nobody listens at. Another process may take one before it is bound: whoever can binds port 0 instead. */
import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server } from "node:net";

export const bindUdp = (host: string, port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    socket.once("error", reject);
    socket.bind(port, host, () => resolve(socket));
  });

const closed = (closing: { close(done: () => void): unknown }): Promise<void> =>
  new Promise((resolve) => void closing.close(() => resolve()));

const bindTcp = (host: string, port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, host, () => resolve(server));
  });

/** A port that is free for UDP and TCP on each of `hosts`. */
export const freePort = async (...hosts: readonly string[]): Promise<number> => {
  for (;;) {
    const first = await bindUdp(hosts[0] ?? "127.0.0.1", 0);
    const { port } = first.address();
    const others = [...hosts.slice(1).map((host) => bindUdp(host, port)), ...hosts.map((host) => bindTcp(host, port))];
    const tried = await Promise.allSettled<{ close(done: () => void): unknown }>(others);
    const bound = tried.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    await Promise.all([first, ...bound].map(closed));
    if (bound.length === others.length) return port;
  }
};
