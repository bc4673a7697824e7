/** Connections that come through a load balancer: each must begin with a PROXY header, or is closed. */
import type { Socket } from "node:net";
import type { DropCode } from "../../reasons.ts";
import type { Limits } from "../limits.ts";
import { readProxyHeader, type ProxyHeader } from "./proxy-header.ts";

export type Addresses = ProxyHeader["addresses"];

export interface ProxiedOptions {
  readonly limits: Limits;
  readonly dropped: (reason: DropCode) => void;
  /** Takes a connection whose header has been read, paused; it begins with the bytes after the header. */
  readonly accept: (socket: Socket, addresses: Addresses) => void;
}

/** Takes new connections. */
export const createProxied = ({ limits, dropped, accept }: ProxiedOptions) => {
  /** In order of arrival. */
  const waiting = new Set<Socket>();

  const drop = (socket: Socket, reason: DropCode): void => {
    if (!waiting.delete(socket)) return;
    dropped(reason);
    socket.destroy();
  };

  return {
    take(socket: Socket): void {
      let read: Buffer = Buffer.alloc(0);
      waiting.add(socket);
      const timer = setTimeout(() => drop(socket, "proxy-header-late"), limits.idleConnectionMilliseconds).unref();
      const end = (): void => {
        clearTimeout(timer);
        waiting.delete(socket);
      };
      const ignore = (): void => undefined;
      const data = (chunk: Buffer): void => {
        read = read.length === 0 ? chunk : Buffer.concat([read, chunk]);
        const header = readProxyHeader(read);
        if (header === "more") return;
        if (header === "invalid") return drop(socket, "proxy-header");
        socket.removeListener("data", data);
        socket.removeListener("close", end);
        end();
        socket.pause();
        if (read.length > header.length) socket.unshift(read.subarray(header.length));
        return accept(socket, header.addresses);
      };
      socket.on("error", ignore);
      socket.on("close", end);
      socket.on("data", data);
      const [oldest] = waiting;
      if (waiting.size > limits.maxIdleConnections && oldest !== undefined) drop(oldest, "idle-connections");
    },
    close(): void {
      for (const socket of waiting) socket.destroy();
      waiting.clear();
    },
  };
};
