/**
 * Ports that nobody listens at, and that no other test gets: tests run beside each other, and some bind with SO_REUSEPORT,
 * which would share a port that two of them had been given.
 */
import { randomInt } from "node:crypto";
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

/** Below what kernels give to those who ask for none: until a server binds it, nobody gets it by chance. */
const [FIRST, LAST] = [10_000, 29_999] as const;

/**
 * Whether the port is this process's now, until it ends. An abstract socket is the claim: other test processes see it, and
 * the kernel gives it back.
 */
const claim = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(`\0turnpike-test-port-${port}`, () => resolve(true));
    server.unref();
  });

/** A port that is free for UDP and TCP on each of `hosts`. */
export const freePort = async (...hosts: readonly string[]): Promise<number> => {
  for (;;) {
    const port = randomInt(FIRST, LAST + 1);
    if (!(await claim(port))) continue;
    const all = [...hosts, ...(hosts.length === 0 ? ["127.0.0.1"] : [])];
    const tried = await Promise.allSettled<{ close(done: () => void): unknown }>([
      ...all.map((host) => bindUdp(host, port)),
      ...all.map((host) => bindTcp(host, port)),
    ]);
    const bound = tried.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    await Promise.all(bound.map(closed));
    if (bound.length === tried.length) return port;
  }
};
