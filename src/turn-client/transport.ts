/** How a TURN client reaches its server: datagrams or a framed stream. */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls } from "node:tls";
import type { TransportAddress } from "../net/address.ts";
import { Framer } from "../stun/framing.ts";
import { DtlsClient } from "./dtls-client.ts";

const CONNECT_TIMEOUT_MS = 10_000;

export interface Transport {
  readonly isReliable: boolean;
  /** The client's own address, from its socket. */
  readonly local: TransportAddress;
  /** The server's address, if the transport knows it. */
  readonly remote?: TransportAddress;
  send(bytes: Buffer): void;
  /**
   * Only streams have it: after the next message, the callee owns the connection, which then carries data (RFC 6062 §4.3).
   */
  takeOver?(): Socket;
  close(): void;
}

export interface Receiver {
  message(bytes: Buffer): void;
  closed(reason: string): void;
}

/** How to verify the server's certificate. */
export interface Verification {
  /** Accepts any certificate of the server. */
  readonly insecure?: boolean | undefined;
  /** The name that the certificate must have, and that is sent as SNI; the host by default. */
  readonly serverName?: string | undefined;
  /** PEM of the authority that signed it, if Node does not trust it. */
  readonly ca?: string | undefined;
}

const openSocket = async (host: string, port: number): Promise<UdpSocket> => {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  try {
    socket.connect(port, host);
    await once(socket, "connect");
  } catch (error) {
    socket.close();
    throw error;
  }
  // An ICMP error does not end the request: the retransmission decides.
  socket.on("error", () => undefined);
  return socket;
};

export const openUdp = async (host: string, port: number, receiver: Receiver): Promise<Transport> => {
  const socket = await openSocket(host, port);
  socket.on("message", (bytes) => receiver.message(bytes));
  let isOpen = true;
  return {
    isReliable: false,
    local: socket.address(),
    remote: socket.remoteAddress(),
    send: (bytes) => {
      if (isOpen) socket.send(bytes);
    },
    close: () => {
      if (isOpen) socket.close();
      isOpen = false;
    },
  };
};

/** Resolves once `socket` emits `event`; rejects after `timeoutMs`. */
const opened = async (socket: Socket, event: string, timeoutMs: number): Promise<void> => {
  const late = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    await once(socket, event);
  } finally {
    clearTimeout(late);
  }
};

export const openTcpSocket = async (host: string, port: number, timeoutMs = CONNECT_TIMEOUT_MS): Promise<Socket> => {
  const socket = connect({ host, port, noDelay: true });
  await opened(socket, "connect", timeoutMs);
  return socket;
};

export const openTlsSocket = async (
  host: string,
  port: number,
  { insecure = false, serverName, ca }: Verification = {},
  timeoutMs = CONNECT_TIMEOUT_MS,
): Promise<Socket> => {
  const name = serverName ?? host;
  const socket = connectTls({
    host,
    port,
    rejectUnauthorized: !insecure,
    // SNI does not allow addresses, but the certificate is still compared with the address.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
    ...(ca === undefined ? {} : { ca }),
  });
  socket.setNoDelay(true);
  await opened(socket, "secureConnect", timeoutMs);
  return socket;
};

export const openTcp = async (host: string, port: number, receiver: Receiver, timeoutMs?: number): Promise<Transport> =>
  streamOn(await openTcpSocket(host, port, timeoutMs), receiver);

export const openTls = async (
  host: string,
  port: number,
  receiver: Receiver,
  verification?: Verification,
  timeoutMs?: number,
): Promise<Transport> => streamOn(await openTlsSocket(host, port, verification, timeoutMs), receiver);

/** Pads ChannelData to four bytes (RFC 8656 §12.5); the length of a STUN message is a multiple of four anyway. */
const padded = (bytes: Buffer): Buffer => {
  const padding = -bytes.length & 3;
  return padding === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(padding)]);
};

/** OpenSSL knows when its next retransmission is due; this is the polling interval. */
const RETRANSMIT_TICK_MS = 100;

export const openDtls = async (
  host: string,
  port: number,
  receiver: Receiver,
  { insecure = false, serverName, ca }: Verification = {},
  timeoutMs = CONNECT_TIMEOUT_MS,
): Promise<Transport> => {
  const dtls = new DtlsClient(
    insecure ? {} : { verify: { name: serverName ?? host, ...(ca === undefined ? {} : { ca }) } },
  );
  const socket = await openSocket(host, port);
  let isOpen = true;
  const send = (datagrams: readonly Buffer[]): void => {
    for (const datagram of datagrams) if (isOpen) socket.send(datagram);
  };
  const close = (): void => {
    if (!isOpen) return;
    send(dtls.close());
    isOpen = false;
    socket.close();
  };
  await new Promise<void>((resolve, reject) => {
    const settle = (error?: Error): void => {
      clearInterval(tick);
      clearTimeout(late);
      if (error === undefined) return resolve();
      close();
      return reject(error);
    };
    const late = setTimeout(() => settle(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const tick = setInterval(() => send(dtls.retransmit()), RETRANSMIT_TICK_MS);
    socket.on("message", (datagram) => {
      const wasEstablished = dtls.isEstablished;
      send(dtls.advance(datagram, (record) => receiver.message(record)));
      if (!isOpen) return;
      if (!wasEstablished && dtls.isEstablished) settle();
      if (!dtls.hasFailed) return;
      if (wasEstablished) {
        close();
        receiver.closed("the server closed the connection");
      } else settle(new Error(`the handshake failed${insecure ? "" : `: ${dtls.complaint ?? "no common ground"}`}`));
    });
    send(dtls.advance());
  });
  return {
    isReliable: false,
    local: socket.address(),
    remote: socket.remoteAddress(),
    send: (bytes) => {
      // Some servers read DTLS as a stream: without padding they lose the frame boundary.
      if (isOpen) send([dtls.seal(padded(bytes))]);
    },
    close,
  };
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
    remote: { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
    send: (bytes) => void socket.write(padded(bytes)),
    takeOver: () => {
      isTaken = true;
      return socket;
    },
    close: () => socket.destroy(),
  };
};
