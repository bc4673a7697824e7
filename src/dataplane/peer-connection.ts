/**
 * A TCP connection between a relayed transport address and a peer (RFC 6062 §5): it waits until a connection of the client
 * is bound to it; then data from either side is sent to the other. Both end together.
 */
import type { Socket } from "node:net";
import type { Ip } from "../net/ip.ts";
import { noTraffic, type Flow, type Traffic } from "./flows.ts";
import { unboundConnectionMilliseconds } from "./limits.ts";
import { pour } from "./pour.ts";

export interface PeerConnectionOptions {
  /** CONNECTION-ID. */
  readonly id: number;
  /** Of the allocation: its traffic, and its bandwidth limits. */
  readonly flow: Flow;
  readonly peer: Ip;
  readonly port: number;
  /** To the peer; paused. */
  readonly socket: Socket;
  /** What admitted the peer. */
  readonly cluster: string;
  readonly endpoint: string;
  /** Counters in addition to the allocation's own. */
  readonly traffic: readonly Traffic[];
  readonly closed: () => void;
}

export class PeerConnection {
  readonly id: number;
  readonly peer: Ip;
  readonly port: number;
  readonly cluster: string;
  readonly endpoint: string;
  readonly traffic = noTraffic();
  readonly #flow: Flow;
  readonly #socket: Socket;
  readonly #counted: readonly Traffic[];
  readonly #timer: NodeJS.Timeout;
  #client: Socket | undefined;

  constructor(options: PeerConnectionOptions) {
    const { flow, socket, closed } = options;
    this.id = options.id;
    this.#flow = flow;
    this.peer = options.peer;
    this.port = options.port;
    this.cluster = options.cluster;
    this.endpoint = options.endpoint;
    this.#socket = socket;
    this.#counted = [this.traffic, flow.traffic, ...options.traffic];
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    socket.once("close", closed);
    // RFC 6062 §5.2: a connection that no client binds to is closed.
    this.#timer = setTimeout(() => this.close(), unboundConnectionMilliseconds).unref();
  }

  get isBound(): boolean {
    return this.#client !== undefined;
  }

  /** From here on `client` and the peer share one stream. */
  bind(client: Socket): void {
    clearTimeout(this.#timer);
    this.#client = client;
    const { bandwidth } = this.#flow;
    pour(client, this.#socket, (bytes) => {
      for (const traffic of this.#counted) {
        traffic.packetsIn++;
        traffic.bytesIn += bytes;
      }
      return bandwidth?.owe("in", bytes) ?? 0;
    });
    pour(this.#socket, client, (bytes) => {
      for (const traffic of this.#counted) {
        traffic.packetsOut++;
        traffic.bytesOut += bytes;
      }
      return bandwidth?.owe("out", bytes) ?? 0;
    });
  }

  /** Ends both connections at once. */
  close(): void {
    clearTimeout(this.#timer);
    this.#socket.destroy();
    this.#client?.destroy();
  }
}
