/** TURN over streams, TCP and TLS: a server for each bind address, a framer and at most one allocation for each connection. */
import type { Server, Socket } from "node:net";
import { once } from "node:events";
import { monotonicMs } from "../../clock.ts";
import type { DropCode } from "../../reasons.ts";
import { wireAddressOf, formatAddress, type WireAddress, type TransportAddress } from "../../net/address.ts";
import { parseIp } from "../../net/ip.ts";
import { fromClient } from "../engines/forward.ts";
import type { Flow, Traffic } from "../flows.ts";
import { maxBacklogBytes, maxIdleFrameBytes } from "../limits.ts";
import { Framer } from "../../stun/framing.ts";
import type { Addresses } from "./proxied.ts";
import type { ListenerOwner, ListenerPath, OpenListener } from "./listener.ts";

const maxFrameBytes = 4 + 65536 + 20;

const addressOf = (address: string | undefined, port: number | undefined): TransportAddress => ({
  address: parseIp(address ?? "")?.text ?? "0.0.0.0",
  port: port ?? 0,
});

class StreamPath implements ListenerPath {
  readonly protocol: "tcp" | "tls";
  readonly client: WireAddress;
  readonly server: TransportAddress;
  readonly socket: Socket;
  readonly framer: Framer;
  /** Since when there has been no allocation, and no end to the frame that has started; of the monotonic clock. */
  idleSince = monotonicMs();
  partialSince: number | undefined;
  flow: Flow | undefined;
  /** Its connection carries messages no more. */
  isTaken = false;
  /** Called once it is so. */
  taken = (): void => undefined;
  readonly #idle: Set<StreamPath>;
  /** What is to be written at the end of this turn: a write of its own for each frame is most of what a stream costs. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  constructor(
    protocol: "tcp" | "tls",
    socket: Socket,
    addresses: Addresses,
    idle: Set<StreamPath>,
    onMessage: (frame: Buffer, path: StreamPath) => boolean,
  ) {
    this.protocol = protocol;
    this.socket = socket;
    this.client = wireAddressOf(addresses?.source ?? addressOf(socket.remoteAddress, socket.remotePort));
    this.server = addresses?.destination ?? addressOf(socket.localAddress, socket.localPort);
    this.#idle = idle;
    this.framer = new Framer(
      (frame) => onMessage(frame, this) && !socket.destroyed && !this.isTaken,
      () => (this.flow === undefined ? maxIdleFrameBytes : maxFrameBytes),
    );
  }

  send(bytes: Buffer, start: number, end: number, media: boolean): boolean {
    if (this.socket.destroyed) return false;
    if (this.socket.writableLength + this.#waitingBytes > maxBacklogBytes) {
      // A client that leaves a megabyte of media unread and still asks questions is not reading answers either.
      if (!media) this.socket.destroy();
      return false;
    }
    if (this.#waiting.length === 0) queueMicrotask(this.#flush);
    this.#waiting.push(Buffer.from(bytes.subarray(start, end)));
    this.#waitingBytes += end - start;
    return true;
  }

  /** The socket keeps what it cannot send at once. */
  readonly #flush = (): void => {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const whole = this.#waiting.length === 1 ? first : Buffer.concat(this.#waiting, this.#waitingBytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (!this.socket.destroyed) this.socket.write(whole);
  };

  install(flow: Flow): void {
    this.flow = flow;
    this.#idle.delete(this);
  }

  takeOver(): Socket | undefined {
    if (this.flow !== undefined || this.isTaken) return undefined;
    this.isTaken = true;
    this.#flush();
    this.partialSince = undefined;
    this.#idle.delete(this);
    this.taken();
    return this.socket;
  }

  remove(flow: Flow): void {
    if (this.flow !== flow) return;
    this.flow = undefined;
    this.idleSince = monotonicMs();
    if (!this.socket.destroyed) this.#idle.add(this);
  }
}

export interface StreamOptions {
  readonly protocol: "tcp" | "tls";
  /**
   * A server that is not bound yet, and gives every connection that is ready to be read to `accept`, with the addresses that
   * a load balancer told.
   */
  readonly makeServer: (accept: (socket: Socket, addresses?: Addresses) => void) => Server;
}

/** Binds `port` on each address; when one fails the others are closed and the promise rejects. */
export const listenStream = async (
  { protocol, makeServer }: StreamOptions,
  addresses: readonly string[],
  port: number,
  traffic: Traffic,
  owner: ListenerOwner,
): Promise<OpenListener> => {
  const { idleConnectionMilliseconds, maxIdleConnections } = owner.limits;
  const connections = new Set<StreamPath>();
  /** In the order in which they became idle. */
  const idle = new Set<StreamPath>();

  const drop = (path: StreamPath, reason: DropCode): void => {
    if (path.socket.destroyed) return;
    owner.dropped(reason);
    path.socket.destroy();
  };

  /** Whether to read on. */
  const onFrame = (frame: Buffer, path: StreamPath): boolean => {
    if (path.flow !== undefined && fromClient(path.flow, frame, 0, frame.length)) return true;
    if ((frame[0] ?? 0) >= 0x40) {
      owner.dropped("no-allocation");
      return true;
    }
    traffic.packetsIn++;
    traffic.bytesIn += frame.length;
    owner.message(frame, path);
    return !owner.isBusy;
  };

  const accept = (socket: Socket, addresses?: Addresses): void => {
    socket.on("error", () => undefined);
    socket.setNoDelay(true);
    const path = new StreamPath(protocol, socket, addresses, idle, onFrame);
    if (path.client.port === 0) {
      socket.destroy();
      return;
    }
    connections.add(path);
    owner.counts.connections++;
    idle.add(path);
    if (idle.size > maxIdleConnections) {
      const [oldest] = idle;
      if (oldest !== undefined) drop(oldest, "idle-connections");
    }
    const read = (chunk: Buffer): void => {
      const { frames } = path.framer;
      const error = path.framer.push(chunk);
      if (path.framer.isStopped && !socket.destroyed) {
        // What was taken is read by whoever took it; the others are read on when their turn comes.
        if (!path.isTaken) {
          socket.pause();
          owner.whenCalm(() => {
            if (!path.isTaken && !socket.destroyed) socket.resume();
          });
        }
        const { rest } = path.framer;
        path.framer.goOn();
        if (rest.length > 0) socket.unshift(rest);
      }
      if (error !== undefined) drop(path, error);
      if (path.framer.frames !== frames || !path.framer.isPartial) path.partialSince = undefined;
      if (path.framer.isPartial) path.partialSince ??= monotonicMs();
    };
    path.taken = () => void socket.removeListener("data", read);
    socket.on("data", read);
    socket.resume();
    socket.on("close", () => {
      connections.delete(path);
      idle.delete(path);
      owner.gone(path);
    });
  };

  const sweep = setInterval(() => {
    const before = monotonicMs() - idleConnectionMilliseconds;
    for (const path of idle) {
      if (path.idleSince > before) break;
      drop(path, "idle-connection");
    }
    for (const path of connections)
      if (path.partialSince !== undefined && path.partialSince < before) drop(path, "partial-frame");
  }, 1000).unref();

  let taken = 0;
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    clearInterval(sweep);
    for (const { socket } of connections) socket.destroy();
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  };
  try {
    for (const address of addresses) {
      const server = makeServer(accept);
      server.listen({ host: address, port, exclusive: true, ipv6Only: true, reusePort: owner.streams !== undefined });
      await once(server, "listening");
      server.on("error", (error) => owner.failed(error.message));
      servers.push(server);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    at: servers.map((server) => {
      const at = server.address();
      return at === null || typeof at === "string" ? String(at) : formatAddress(at.address, at.port);
    }),
    connections: () => connections.size - taken,
    take(socket, addresses) {
      // It is counted where it was accepted.
      taken += 1;
      owner.counts.connections -= 1;
      socket.once("close", () => (taken -= 1));
      accept(socket, addresses);
    },
    close,
  };
};
