/**
 * The system calls of the batch engine, from the C library that Node runs on, and the memory layout of their structures
 * (Linux, 64 bits, little-endian). Pointers are numbers: those of user space are below 2^47.
 */
import { createRequire } from "node:module";
import { endianness } from "node:os";
import { getSystemErrorName } from "node:util";

const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const EMFILE = 24;
const ENFILE = 23;
/** MSG_DONTWAIT and MSG_NOSIGNAL. */
const SEND_FLAGS = 0x4040;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_MEMINFO = 55;
const SK_MEMINFO_DROPS = 8;
const SK_MEMINFO_VARS = 9;
export const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
export const IPPROTO_IP = 0;
export const IP_PKTINFO = 8;
const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const IP_TOS = 1;
const IP_RECVTOS = 13;
const IPV6_RECVTCLASS = 66;
export const IPV6_TCLASS = 67;
const IP_MTU_DISCOVER = 10;
const IPV6_MTU_DISCOVER = 23;
/** Sets the DF bit regardless of the known path MTU, because the client is probing for it. */
const PMTUDISC_PROBE = 3;
/** Datagrams longer than the path MTU are fragmented here. */
const PMTUDISC_WANT = 1;
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
const UDP_GRO = 104;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 1;
export const EPOLLOUT = 4;

/** Of `msghdr` inside `mmsghdr`, in bytes. */
export const MMSGHDR = {
  size: 64,
  name: 0,
  nameLength: 8,
  iov: 16,
  iovLength: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
  length: 56,
} as const;
export const IOVEC_SIZE = 16;
/** `sockaddr_in` and `sockaddr_in6`, rounded up. */
export const SOCKADDR_SIZE = 32;
export const sockaddrLength = (family: 4 | 6): number => (family === 4 ? 16 : 28);
/** `epoll_event` is packed only on x86-64. */
export const EPOLL_EVENT = process.arch === "x64" ? ({ size: 12, data: 4 } as const) : ({ size: 16, data: 8 } as const);
export const MSG_TRUNC = 0x20;

export const EAGAIN = 11;
export const EINTR = 4;
export const EIO = 5;
export const EINVAL = 22;
export const EMSGSIZE = 90;

type Numbers = (...args: readonly (number | Buffer | null)[]) => number;

export interface Sys {
  /** @throws the error of the call. A non-blocking datagram socket. */
  socket(family: 4 | 6): number;
  bind(fd: number, address: Buffer): void;
  /** A non-blocking TCP socket; for IPv6, an IPv6-only one. */
  streamSocket(family: 4 | 6): number;
  listen(fd: number, backlog: number): void;
  /** A pending connection, non-blocking; -1 if there is none, with the reason in `errno()`. */
  accept(fd: number): number;
  /** Whether the last call failed for lack of descriptors. */
  isOutOfDescriptors(): boolean;
  /** `sockaddr` of the remote end, and of the local end; undefined if the connection is lost. */
  peerOf(fd: number): Buffer | undefined;
  nameOf(fd: number): Buffer | undefined;
  reuseAddress(fd: number): void;
  noDelay(fd: number): void;
  /** A pair of connected, non-blocking stream sockets. */
  streamPair(): readonly [number, number];
  /** Port that a socket is bound to. */
  portOf(fd: number): number;
  reusePort(fd: number): void;
  /** Sets or clears the DF bit of everything that is sent from now on. */
  dontFragment(fd: number, family: 4 | 6, on: boolean): void;
  /** Best effort: the kernel's limit may be lower. */
  enlarge(fd: number, bytes: number): void;
  /** Lets the kernel coalesce bursts from one source into one message (UDP GRO); best effort. */
  coalesce(fd: number): void;
  /** Makes the kernel report the own address that each datagram was sent to. */
  ownAddresses(fd: number, family: 4 | 6): void;
  /** Makes the kernel report the traffic class of each datagram: DSCP and ECN. Best effort. */
  trafficClasses(fd: number, family: 4 | 6): void;
  /** Datagrams that the kernel dropped because buffers were full, since the socket was made. */
  dropsOf(fd: number): number;
  close(fd: number): void;
  /** As the system calls: -1 on failure, with the reason in `errno()`. */
  readonly recvmmsg: (fd: number, headers: number, count: number, flags: number, timeout: null) => number;
  readonly sendmmsg: (fd: number, headers: number, count: number, flags: number) => number;
  readonly sendto: (
    fd: number,
    data: number,
    bytes: number,
    flags: number,
    address: number,
    addressBytes: number,
  ) => number;
  /** As the system calls, on a connection, without waiting: -1 on failure, with the reason in `errno()`. */
  readonly recv: (fd: number, data: number, bytes: number) => number;
  readonly send: (fd: number, data: number, bytes: number) => number;
  readonly epollWait: (epoll: number, events: number, count: number, timeoutMs: number) => number;
  epoll(): number;
  /** @param events EPOLLIN by default. */
  watch(epoll: number, fd: number, events?: number): void;
  /** Changes the watched events. */
  rewatch(epoll: number, fd: number, events: number): void;
  unwatch(epoll: number, fd: number): void;
  /** Address of the memory of `bytes`, which does not move. */
  addressOf(bytes: Uint8Array): number;
  errno(): number;
}

let loaded: Sys | undefined;

/** @throws if this machine has no such calls; the message says why. */
export const loadSys = (): Sys => {
  loaded ??= load();
  return loaded;
};

const load = (): Sys => {
  if (process.platform !== "linux") throw new Error(`it needs Linux, this is ${process.platform}`);
  if (!["x64", "arm64"].includes(process.arch) || endianness() !== "LE")
    throw new Error(`it is not made for ${process.arch}`);
  // Loaded only here: other platforms do not need it.
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
  const libc = koffi.load(null);
  const call = (declaration: string): Numbers => libc.func(declaration);
  const socket = call("int socket(int domain, int type, int protocol)");
  const socketpair = call("int socketpair(int domain, int type, int protocol, void *pair)");
  const bind = call("int bind(int fd, const void *address, uint length)");
  const getpeername = call("int getpeername(int fd, void *address, void *length)");
  const listen = call("int listen(int fd, int backlog)");
  const accept = call("int accept4(int fd, void *address, void *length, int flags)");
  const recv = call("long recv(int fd, int64_t data, size_t bytes, int flags)");
  const send = call("long send(int fd, int64_t data, size_t bytes, int flags)");
  const getsockname = call("int getsockname(int fd, void *address, void *length)");
  const setsockopt = call("int setsockopt(int fd, int level, int name, const void *value, uint length)");
  const getsockopt = call("int getsockopt(int fd, int level, int name, void *value, void *length)");
  const close = call("int close(int fd)");
  const epollCreate = call("int epoll_create1(int flags)");
  const epollCtl = call("int epoll_ctl(int epoll, int op, int fd, void *event)");
  // Returns its first argument: this is how to get the address of memory.
  const memmove = call("int64_t memmove(void *to, const void *from, size_t count)") as unknown as (
    ...args: readonly [Uint8Array, Uint8Array, number]
  ) => number | bigint;
  const { errno } = koffi;

  const must = (name: string, result: number): number => {
    if (result >= 0) return result;
    const code = getSystemErrorName(-errno());
    throw Object.assign(new Error(`${name} ${code}`), { code, syscall: name });
  };
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    return bytes;
  };
  const event = (fd: number, events: number): Buffer => {
    const bytes = Buffer.alloc(EPOLL_EVENT.size);
    bytes.writeUInt32LE(events, 0);
    bytes.writeInt32LE(fd, EPOLL_EVENT.data);
    return bytes;
  };
  const named = (name: Numbers, fd: number): Buffer | undefined => {
    const address = Buffer.alloc(SOCKADDR_SIZE);
    return name(fd, address, number(address.length)) < 0 ? undefined : address;
  };
  const set = (fd: number, level: number, name: number, value: number): number =>
    setsockopt(fd, level, name, number(value), 4);
  const open = (type: number, family: 4 | 6): number => {
    const domain = family === 4 ? AF_INET : AF_INET6;
    const fd = must("socket", socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (family === 6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    return fd;
  };

  return {
    socket: (family) => open(SOCK_DGRAM, family),
    streamSocket: (family) => open(SOCK_STREAM, family),
    listen: (fd, backlog) => void must("listen", listen(fd, backlog)),
    accept: (fd) => accept(fd, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC),
    isOutOfDescriptors: () => errno() === EMFILE || errno() === ENFILE,
    peerOf: (fd) => named(getpeername, fd),
    nameOf: (fd) => named(getsockname, fd),
    reuseAddress: (fd) => void must("setsockopt", set(fd, SOL_SOCKET, SO_REUSEADDR, 1)),
    noDelay: (fd) => void set(fd, IPPROTO_TCP, TCP_NODELAY, 1),
    streamPair() {
      const pair = Buffer.alloc(8);
      must("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
      return [pair.readInt32LE(0), pair.readInt32LE(4)];
    },
    bind: (fd, address) => void must("bind", bind(fd, address, address.length)),
    portOf(fd) {
      const address = Buffer.alloc(SOCKADDR_SIZE);
      must("getsockname", getsockname(fd, address, number(address.length)));
      return address.readUInt16BE(2);
    },
    recv: (fd, data, bytes) => recv(fd, data, bytes, 0),
    send: (fd, data, bytes) => send(fd, data, bytes, SEND_FLAGS),
    reusePort: (fd) => void must("setsockopt", set(fd, SOL_SOCKET, SO_REUSEPORT, 1)),
    dontFragment(fd, family, on) {
      const value = on ? PMTUDISC_PROBE : PMTUDISC_WANT;
      if (family === 4) set(fd, IPPROTO_IP, IP_MTU_DISCOVER, value);
      else set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, value);
    },
    enlarge(fd, bytes) {
      set(fd, SOL_SOCKET, SO_RCVBUF, bytes);
      set(fd, SOL_SOCKET, SO_SNDBUF, bytes);
    },
    ownAddresses(fd, family) {
      if (family === 4) must("setsockopt", set(fd, IPPROTO_IP, IP_PKTINFO, 1));
      else must("setsockopt", set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
    },
    trafficClasses(fd, family) {
      if (family === 4) set(fd, IPPROTO_IP, IP_RECVTOS, 1);
      else set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    },
    coalesce: (fd) => void set(fd, SOL_UDP, UDP_GRO, 1),
    dropsOf(fd) {
      const info = Buffer.alloc(4 * SK_MEMINFO_VARS);
      const length = number(info.length);
      return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, length) < 0 ? 0 : info.readUInt32LE(4 * SK_MEMINFO_DROPS);
    },
    close: (fd) => void close(fd),
    recvmmsg: call("int recvmmsg(int fd, int64_t headers, uint count, int flags, void *timeout)"),
    sendmmsg: call("int sendmmsg(int fd, int64_t headers, uint count, int flags)"),
    sendto: call("long sendto(int fd, int64_t data, size_t bytes, int flags, int64_t address, uint addressBytes)"),
    epollWait: call("int epoll_wait(int epoll, int64_t events, int count, int timeout)"),
    epoll: () => must("epoll_create1", epollCreate(SOCK_CLOEXEC)),
    watch: (epoll, fd, events = EPOLLIN) =>
      void must("epoll_ctl", epollCtl(epoll, EPOLL_CTL_ADD, fd, event(fd, events))),
    rewatch: (epoll, fd, events) => void must("epoll_ctl", epollCtl(epoll, EPOLL_CTL_MOD, fd, event(fd, events))),
    unwatch: (epoll, fd) => void epollCtl(epoll, EPOLL_CTL_DEL, fd, Buffer.alloc(EPOLL_EVENT.size)),
    addressOf: (bytes) => Number(memmove(bytes, bytes, 0)),
    errno,
  };
};
