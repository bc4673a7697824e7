/**
 * Connections to TCP peers from a relayed transport address that also listens (RFC 6062 §5.2). Two sockets may share the
 * address if both set SO_REUSEPORT. Node sets it only for servers, so the C library makes the socket and Node takes it
 * over.
 */
import { connect, Socket } from "node:net";
import { familyOf, type TransportAddress } from "../net/address.ts";
import { bound } from "./engines/batch/sockaddr.ts";
import { loadSys } from "./engines/batch/sys.ts";

/** The descriptor of a TCP socket that is bound and not connected. @throws the error of the system call. */
const boundStream = (local: TransportAddress): number => {
  const sys = loadSys();
  const fd = sys.streamSocket(familyOf(local.address));
  return bound(sys, fd, local, () => {
    sys.reuseAddress(fd);
    sys.reusePort(fd);
  });
};

let canShare: boolean | undefined;

/**
 * Whether servers must set `reusePort`, so that {@link dial} can use their address: false if this machine has no such
 * calls.
 */
export const sharesAddresses = (): boolean => {
  try {
    canShare ??= loadSys() !== undefined;
  } catch {
    canShare = false;
  }
  return canShare;
};

/**
 * Connects from `local` to `peer`, both IP literals, and resolves to a paused socket. If addresses cannot be shared, it
 * connects from the same address and another port. Rejects with the error, and after `timeoutMilliseconds`.
 */
export const dial = (local: TransportAddress, peer: TransportAddress, timeoutMilliseconds: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const to = { host: peer.address, port: peer.port };
    let socket: Socket;
    if (sharesAddresses()) {
      // `manualStart`: the socket is not connected, so there is nothing to read yet.
      const options = { fd: boundStream(local), readable: true, writable: true, manualStart: true };
      socket = new Socket(options);
      socket.pause();
      socket.connect(to);
    } else {
      socket = connect({ ...to, localAddress: local.address });
      socket.pause();
    }
    const timer = setTimeout(() => socket.destroy(new Error("it does not answer")), timeoutMilliseconds);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeListener("error", reject);
      socket.on("error", () => undefined);
      resolve(socket);
    });
    socket.once("close", () => clearTimeout(timer));
    socket.once("error", reject);
  });
