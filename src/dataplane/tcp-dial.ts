/**
 * Connections to TCP peers from a relayed transport address that also listens (RFC 6062 §5.2). Two sockets may share the
 * address where both say SO_REUSEPORT. Node says it of servers alone, so the socket is made by the C library and handed over.
 */
import { createRequire } from "node:module";
import { connect, Socket } from "node:net";
import { familyOf, type TransportAddress } from "../net/address.ts";
import { sockaddrOf } from "./engines/batch/sockaddr.ts";
import { AF_INET, AF_INET6 } from "./engines/batch/sys.ts";

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const on = Buffer.from([1, 0, 0, 0]);

type Bound = (local: TransportAddress) => number;

/** Descriptors of TCP sockets that are bound and not connected; nothing where this machine has no such calls. */
const load = (): Bound | undefined => {
  if (process.platform !== "linux") return undefined;
  try {
    // Loaded here alone: elsewhere nothing needs it.
    const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
    const libc = koffi.load(null);
    const socket = libc.func("int socket(int domain, int type, int protocol)");
    const setsockopt = libc.func("int setsockopt(int fd, int level, int name, const void *value, uint length)");
    const bind = libc.func("int bind(int fd, const void *address, uint length)");
    const close = libc.func("int close(int fd)");
    return (local) => {
      const domain = familyOf(local.address) === 4 ? AF_INET : AF_INET6;
      const fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) as number;
      const name = sockaddrOf(local);
      if (fd < 0) throw new Error(`socket: error ${koffi.errno()}`);
      if (
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, on, on.length) >= 0 &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, on, on.length) >= 0 &&
        bind(fd, name, name.length) >= 0
      )
        return fd;
      const error = koffi.errno();
      close(fd);
      throw new Error(`bind: error ${error}`);
    };
  } catch {
    return undefined;
  }
};

let bound: Bound | "absent" | undefined;

/** Whether servers must say `reusePort`, so that {@link dial} can use their address. */
export const sharesAddresses = (): boolean => (bound ??= load() ?? "absent") !== "absent";

/**
 * Connects from `local` to `peer`, both of IP literals, and resolves to a socket that is paused. Where addresses cannot be
 * shared it comes from the same address and another port. Rejects with why it cannot, and after `timeoutMilliseconds`.
 */
export const dial = (local: TransportAddress, peer: TransportAddress, timeoutMilliseconds: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const to = { host: peer.address, port: peer.port };
    let socket: Socket;
    if (sharesAddresses() && typeof bound === "function") {
      // `manualStart`: it is not connected, so there is nothing to read yet.
      const options = { fd: bound(local), readable: true, writable: true, manualStart: true };
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
