/** How a TURN client reaches its server: datagrams or a framed stream. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Framer } from "../dataplane/listeners/framing.ts";

export interface Transport {
  readonly isReliable: boolean;
  /** The client's own address, as its socket has it. */
  readonly local: { readonly address: string; readonly port: number };
  send(bytes: Buffer): void;
  /** Streams have it: behind the next message that comes, the connection is the callee's and carries data (RFC 6062 §4.3). */
  takeOver?(): Socket;
  close(): void;
}

export interface Receiver {
  message(bytes: Buffer): void;
  closed(reason: string): void;
}

export const openUdp = async (host: string, port: number, receiver: Receiver): Promise<Transport> => {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  socket.connect(port, host);
  await once(socket, "connect");
  socket.on("message", (bytes) => receiver.message(bytes));
  // An ICMP error is no reason to give up: the retransmission decides.
  socket.on("error", () => undefined);
  let isOpen = true;
  return {
    isReliable: false,
    local: socket.address(),
    send: (bytes) => {
      if (isOpen) socket.send(bytes);
    },
    close: () => {
      if (isOpen) socket.close();
      isOpen = false;
    },
  };
};

export const openTcp = async (host: string, port: number, receiver: Receiver): Promise<Transport> => {
  const socket = connect({ host, port, noDelay: true });
  await once(socket, "connect");
  return streamOn(socket, receiver);
};

/** @param rejectUnauthorized whether a certificate that nobody vouches for ends it. */
export const openTls = async (
  host: string,
  port: number,
  receiver: Receiver,
  rejectUnauthorized = true,
): Promise<Transport> => {
  const socket = connectTls({ host, port, rejectUnauthorized });
  socket.setNoDelay(true);
  await once(socket, "secureConnect");
  return streamOn(socket, receiver);
};

const streamOn = (socket: Socket, receiver: Receiver): Transport => {
  let isTaken = false;
  const framer = new Framer(
    (frame) => {
      receiver.message(frame);
      return !socket.destroyed && !isTaken;
    },
    () => 0x1_0000 + 20,
  );
  const read = (chunk: Buffer): void => {
    const { frames } = framer;
    const error = framer.push(chunk);
    if (error !== undefined) socket.destroy(new Error(error));
    if (!isTaken || framer.frames === frames) return;
    socket.removeListener("data", read);
    socket.pause();
    if (framer.rest.length > 0) socket.unshift(framer.rest);
  };
  socket.on("data", read);
  socket.on("error", (error) => receiver.closed(error.message));
  socket.on("close", () => receiver.closed("the server closed the connection"));
  return {
    isReliable: true,
    local: { address: socket.localAddress ?? "", port: socket.localPort ?? 0 },
    send: (bytes) => {
      // ChannelData is padded over a stream; STUN is a multiple of four anyway.
      const padding = -bytes.length & 3;
      socket.write(padding === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(padding)]));
    },
    takeOver: () => {
      isTaken = true;
      return socket;
    },
    close: () => socket.destroy(),
  };
};
