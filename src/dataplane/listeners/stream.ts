/**
 * TURN over streams, TCP and TLS: a server for each bind address, a framer and at most one allocation for each connection.
 */
import type { AddressInfo, Server, Socket } from "node:net";
import { once } from "node:events";
import { monotonicMs } from "../../clock.ts";
import type { DropCode } from "../../reasons.ts";
import { wireAddressOf, formatAddress, type WireAddress, type TransportAddress } from "../../net/address.ts";
import { fromClient } from "../engines/forward.ts";
import type { Flow, Traffic } from "../flows.ts";
import { maxBacklogBytes, maxIdleFrameBytes } from "../limits.ts";
import { Framer } from "../../stun/framing.ts";
import { SocketConnection, type Connection } from "./connection.ts";
import { beginsWithStun } from "./protocols.ts";
import type { ListenerOwner, ListenerPath, OpenListener } from "./listener.ts";

const maxFrameBytes = 4 + 65536 + 20;

class StreamPath implements ListenerPath {
  readonly protocol: "tcp" | "tls";
  readonly client: WireAddress;
  readonly server: TransportAddress;
  readonly connection: Connection;
  readonly framer: Framer;
  /** Since when there has been no allocation, or an incomplete frame; of the monotonic clock. */
  idleSince = monotonicMs();
  partialSince: number | undefined;
  flow: Flow | undefined;
  /** Its connection no longer carries messages. */
  isTaken = false;
  /** What was read until it is known whether it is TURN; undefined from then on. */
  undecided: Buffer | undefined;
  /** A message that was read still waits to be processed. */
  isWaiting = false;
  isPaused = false;
  readonly #idle: Set<StreamPath>;

  constructor(
    protocol: "tcp" | "tls",
    connection: Connection,
    idle: Set<StreamPath>,
    onMessage: (frame: Buffer, path: StreamPath) => boolean,
  ) {
    this.protocol = protocol;
    this.connection = connection;
    this.client = wireAddressOf(connection.client);
    this.server = connection.server;
    this.#idle = idle;
    this.framer = new Framer(
      (frame) => onMessage(frame, this) && !connection.isClosed && !this.isTaken,
      () => (this.flow === undefined ? maxIdleFrameBytes : maxFrameBytes),
    );
  }

  send(bytes: Buffer, start: number, end: number, media: boolean): boolean {
    const { connection } = this;
    if (connection.isClosed) return false;
    if (connection.backlogBytes > maxBacklogBytes) {
      // A client that leaves a megabyte of media unread and still sends requests does not read answers either.
      if (!media) connection.destroy();
      return false;
    }
    connection.send(bytes, start, end);
    return true;
  }

  install(flow: Flow): void {
    this.flow = flow;
    this.#idle.delete(this);
  }

  takeOver(): Socket | undefined {
    if (this.flow !== undefined || this.isTaken) return undefined;
    this.isTaken = true;
    this.partialSince = undefined;
    this.#idle.delete(this);
    return this.connection.detach();
  }

  remove(flow: Flow): void {
    if (this.flow !== flow) return;
    this.flow = undefined;
    this.idleSince = monotonicMs();
    if (!this.connection.isClosed) this.#idle.add(this);
  }
}

/** A bound port. */
export interface StreamPort {
  readonly at: TransportAddress;
  close(): Promise<void>;
}

export interface StreamOptions {
  readonly protocol: "tcp" | "tls";
  /** Binds a port, and passes every connection that is ready to be read to `accept`. Rejects if it cannot. */
  readonly listen: (at: TransportAddress, accept: (connection: Connection) => void) => Promise<StreamPort>;
}

/** Binds a server of Node's. */
export const bindServer = async (server: Server, at: TransportAddress, owner: ListenerOwner): Promise<StreamPort> => {
  const { address: host, port } = at;
  server.listen({ host, port, exclusive: true, ipv6Only: true, reusePort: owner.streams !== undefined });
  await once(server, "listening");
  server.on("error", (error) => owner.failed(error.message));
  const { address, port: bound } = server.address() as AddressInfo;
  return {
    at: { address, port: bound },
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
};

/** Binds `port` on each address; if one fails, the others are closed and the promise rejects. */
export const listenStream = async (
  { protocol, listen }: StreamOptions,
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
    if (path.connection.isClosed) return;
    owner.dropped(reason);
    path.connection.destroy();
  };

  /** Whether to continue reading. */
  const onFrame = (frame: Buffer, path: StreamPath): boolean => {
    if (path.flow !== undefined && fromClient(path.flow, frame, 0, frame.length)) return true;
    if ((frame[0] ?? 0) >= 0x40) {
      owner.dropped("no-allocation");
      return true;
    }
    traffic.packetsIn++;
    traffic.bytesIn += frame.length;
    path.isWaiting = true;
    // The next read reuses the frame's memory.
    const message = Buffer.from(frame);
    path.connection.handUp(() => {
      path.isWaiting = false;
      owner.message(message, path);
      if (path.isPaused) owner.whenCalm(() => readOn(path));
    });
    return !path.isWaiting && !owner.isBusy;
  };

  const readOn = (path: StreamPath): void => {
    if (path.isTaken || path.connection.isClosed) return;
    path.isPaused = false;
    path.connection.resume();
  };

  let isClosing = false;

  const accept = (connection: Connection): void => {
    const path = new StreamPath(protocol, connection, idle, onFrame);
    if (isClosing || path.client.port === 0) {
      connection.destroy();
      return;
    }
    connections.add(path);
    idle.add(path);
    // Clients of a TLS listener have agreed on TURN.
    if (protocol === "tcp" && owner.backend !== undefined) path.undecided = Buffer.alloc(0);
    else owner.counts.connections++;
    if (idle.size > maxIdleConnections) {
      const [oldest] = idle;
      if (oldest !== undefined) drop(oldest, "idle-connections");
    }
    /** Passes the connection on to the HTTP backend. */
    const splice = (read: Buffer): void => {
      path.isTaken = true;
      connections.delete(path);
      idle.delete(path);
      connection.pause(read);
      connection.handUp(() => {
        if (connection.isClosed) return;
        owner.splice(connection.detach(), { source: connection.client, destination: connection.server });
      });
    };
    const data = (chunk: Buffer): void => {
      if (path.undecided === undefined) return frames(chunk);
      const read = Buffer.concat([path.undecided, chunk]);
      const isTurn = beginsWithStun(read);
      if (isTurn === "more") return void (path.undecided = read);
      path.undecided = undefined;
      if (!isTurn) return splice(read);
      owner.counts.connections++;
      return frames(read);
    };
    const frames = (chunk: Buffer): void => {
      const { framer } = path;
      const { frames } = framer;
      const error = framer.push(chunk);
      if (framer.isStopped && !connection.isClosed) {
        const { rest } = framer;
        framer.goOn();
        // The new owner of a detached connection reads the rest.
        connection.pause(rest);
        path.isPaused = true;
        if (!path.isWaiting) owner.whenCalm(() => readOn(path));
      }
      if (error !== undefined) drop(path, error);
      if (framer.frames !== frames || !framer.isPartial) path.partialSince = undefined;
      if (framer.isPartial) path.partialSince ??= monotonicMs();
    };
    const closed = (): void => {
      connections.delete(path);
      idle.delete(path);
      owner.gone(path);
    };
    connection.begin({ data, closed });
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
  const ports: StreamPort[] = [];
  const close = async (): Promise<void> => {
    isClosing = true;
    clearInterval(sweep);
    for (const { connection } of connections) connection.destroy();
    await Promise.all(ports.map((one) => one.close()));
  };
  try {
    for (const address of addresses) ports.push(await listen({ address, port }, accept));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    at: ports.map(({ at }) => formatAddress(at.address, at.port)),
    connections: () => connections.size - taken,
    take(socket, addresses) {
      // The thread that accepted it has counted it.
      taken += 1;
      owner.counts.connections -= 1;
      socket.once("close", () => (taken -= 1));
      accept(new SocketConnection(socket, addresses));
    },
    close,
  };
};
