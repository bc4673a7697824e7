/**
 * The config discovery service: dataplanes get their configs here and receive changes over a WebSocket. A change is encoded
 * once for all watchers.
 */
import { createServer, ServerResponse, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import { createSecureContext } from "node:tls";
import { WebSocketServer } from "ws";
import { guarded, listen } from "../http.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { createApi, send, textAnswer, type Answer, type WatchRequest } from "./api.ts";
import { refusalOf } from "./handshake.ts";
import { createHub, type WatchReport } from "./hub.ts";
import { createStore } from "./store.ts";
import { closeGrace } from "./close-grace.ts";
import type { WatchLimits } from "./watcher.ts";

/** A certificate chain and its key, PEM. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
}

/** Events for logs and metrics; `peer` is `ADDRESS:PORT`. */
export type DiscoveryReport =
  | WatchReport
  | { readonly event: "refused"; readonly peer: string; readonly status: number }
  /** A connection could not be accepted, for example because there are no free file descriptors; the server continues. */
  | { readonly event: "unaccepted"; readonly reason: string };

export interface DiscoveryOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly tls?: TlsMaterial;
  /** The token that clients must send as `Authorization: Bearer`. */
  readonly token?: string;
  /** The external addresses of a node, one of each family that it has; does not throw. */
  readonly addressesOfNode: (name: string) => readonly string[];
  /** False: a standby, or not yet synced. */
  readonly isReady: () => boolean;
  readonly report?: (event: DiscoveryReport) => void;
  readonly limits?: Partial<WatchLimits>;
}

export interface DiscoveryStats {
  readonly configs: number;
  readonly watchers: number;
  /** Since the start. */
  readonly framesSent: number;
  readonly bytesSent: number;
}

export interface DiscoveryServer {
  readonly host: string;
  readonly port: number;
  /** @throws RangeError if `config` has another name than `id`. */
  set(id: string, config: DataplaneConfig | undefined): void;
  /** Replaces all configs by `configs`; others are deleted. */
  replace(configs: readonly DataplaneConfig[]): void;
  /** Sends watchers on `node` its new address, if that changes their config. */
  nodeChanged(node: string): void;
  /**
   * @throws the error of OpenSSL, or RangeError if the server was started without TLS; the old certificate stays active.
   */
  setTls(tls: TlsMaterial): void;
  /**
   * For requests from now on; current watchers stay connected. @throws RangeError if it is empty, or there was none before.
   */
  setToken(token: string): void;
  stats(): DiscoveryStats;
  /** Closes all watches; resolves within about 2 s, whatever the clients do. */
  close(): Promise<void>;
}

const DEFAULT_LIMITS: WatchLimits = {
  readDeadlineMs: 60_000,
  pongDeadlineMs: 10_000,
  stallMs: 30_000,
  maxBufferedBytes: 65_536,
};
const MAX_INBOUND_BYTES = 4096;
const CLOSE_GRACE_MS = 2000;
const IDLE_REQUEST_MS = 60_000;
/** RFC 6455 §7.4.1 and IANA: "try again later". */
const CLOSE_TRY_AGAIN_LATER = 1013;

const EMPTY_TOKEN = "an empty token lets everyone in: leave it out, or give one";

const peerOf = ({ socket }: IncomingMessage): string => `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0}`;

/** Answers an upgrade request that is not upgraded. */
const answerUpgrade = (request: IncomingMessage, socket: Socket, answer: Answer): void => {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once("finish", () => {
    response.detachSocket(socket);
    socket.destroySoon();
  });
  send(response, answer);
};

/**
 * @throws the error of `listen` if the address cannot be bound, that of OpenSSL if `tls` is unusable, RangeError if the
 * token is empty.
 */
export const startDiscovery = async (options: DiscoveryOptions): Promise<DiscoveryServer> => {
  const { addressesOfNode, isReady, report = () => undefined } = options;
  let { token } = options;
  if (token === "") throw new RangeError(EMPTY_TOKEN);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const store = createStore();
  const judge = createApi({ store, isReady, addressesOfNode, token: () => token });
  const hub = createHub({ store, limits, addressesOfNode, report });
  const upgrader = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: MAX_INBOUND_BYTES,
    ...closeGrace(CLOSE_GRACE_MS),
    handleProtocols: () => false,
  });
  const watch = (request: IncomingMessage, socket: Socket, head: Buffer, wanted: WatchRequest): void =>
    // Subscribed only after the upgrade: a failed handshake leaves no subscription.
    upgrader.handleUpgrade(request, socket, head, (webSocket) => hub.open(webSocket, peerOf(request), wanted));

  const refused = (request: IncomingMessage, answer: Answer): Answer => {
    if (answer.status >= 400) report({ event: "refused", peer: peerOf(request), status: answer.status });
    return answer;
  };
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const outcome = judge(request);
    if ("answer" in outcome) return send(response, refused(request, outcome.answer));
    const { status, message, headers } = refusalOf(request) ?? { status: 400, message: "not a WebSocket handshake" };
    return send(response, refused(request, textAnswer(status, message, headers)));
  };
  const upgrade = (request: IncomingMessage, socket: Socket, head: Buffer): void => {
    const outcome = judge(request);
    if ("answer" in outcome) return answerUpgrade(request, socket, refused(request, outcome.answer));
    const refusal = refusalOf(request);
    if (refusal === undefined) return watch(request, socket, head, outcome.watch);
    return answerUpgrade(
      request,
      socket,
      refused(request, textAnswer(refusal.status, refusal.message, refusal.headers)),
    );
  };

  const tlsServer: TlsServer | undefined =
    options.tls === undefined ? undefined : createTlsServer({ ...options.tls, handshakeTimeout: 10_000 });
  const server: Server | TlsServer = tlsServer ?? createServer();
  // Not for WebSockets, which have the limits above.
  server.timeout = IDLE_REQUEST_MS;
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("request", guarded(serve));
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    try {
      upgrade(request, socket, head);
    } catch {
      socket.destroy();
    }
  });
  const port = await listen(server, options.host, options.port, (error) =>
    report({ event: "unaccepted", reason: error.message }),
  );

  const shortestMs = Math.min(limits.readDeadlineMs, limits.pongDeadlineMs, limits.stallMs, 4000);
  const sweep = setInterval(
    () => (isReady() ? hub.sweep() : hub.close("standby", CLOSE_TRY_AGAIN_LATER)),
    shortestMs / 4,
  ).unref();

  let closing: Promise<void> | undefined;
  return {
    host: options.host,
    port,
    set: (id, config) => store.set(id, config),
    replace: (configs) => store.replace(configs),
    nodeChanged: (node) => hub.nodeChanged(node),
    setTls(tls) {
      if (tlsServer === undefined) throw new RangeError("discovery was started without TLS");
      // Throws before the server drops the old one.
      createSecureContext(tls);
      tlsServer.setSecureContext(tls);
    },
    setToken(next) {
      if (token === undefined) throw new RangeError("discovery was started without a token");
      if (next === "") throw new RangeError(EMPTY_TOKEN);
      token = next;
    },
    stats: () => ({ configs: store.size, ...hub.stats() }),
    close() {
      closing ??= new Promise((resolve) => {
        clearInterval(sweep);
        // Clients that have not closed by then, or have not finished a handshake, do not delay the stop.
        const grace = setTimeout(() => {
          for (const socket of sockets) socket.destroy();
        }, CLOSE_GRACE_MS);
        server.close(() => {
          clearTimeout(grace);
          resolve();
        });
        hub.close("shutdown");
        server.closeAllConnections();
      });
      return closing;
    },
  };
};
