/** A UDP echo server on loopback, started for a Service that requests it: a backend for the example. */
import { createSocket, type Socket } from "node:dgram";
import { isIP } from "node:net";
import type { Service } from "../resources/core.ts";

/** On a Service: `ADDRESS:PORT` on loopback at which `turnpike standalone` answers as its backend. */
export const ECHO_ANNOTATION = "turnpike.dev/echo-backend";

export interface Echo {
  readonly at: string;
  close(): void;
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1)$/;

/** The address that a Service requests; undefined if it requests none, or one that is not on loopback. */
export const echoAddressOf = (service: Service): { readonly host: string; readonly port: number } | undefined => {
  const [, host = "", port = ""] =
    /^\[?(.+?)\]?:(\d+)$/.exec(service.metadata.annotations?.[ECHO_ANNOTATION] ?? "") ?? [];
  return isIP(host) !== 0 && LOOPBACK.test(host) ? { host, port: Number(port) } : undefined;
};

/** @throws the error of `bind`. */
export const startEcho = async (host: string, port: number): Promise<Echo> => {
  const socket: Socket = createSocket({ type: isIP(host) === 6 ? "udp6" : "udp4", recvBufferSize: 1 << 20 });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, host, resolve);
  });
  socket.on("error", () => undefined);
  socket.on("message", (message, from) => socket.send(message, from.port, from.address));
  return { at: `${host}:${socket.address().port}`, close: () => void socket.close() };
};
