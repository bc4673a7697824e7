/**
 * A tunnel from this machine through a TURN server to one peer. `local-*.ts` accept programs; `udp-path.ts` and
 * `tcp-path.ts` are the paths, each with a separate allocation.
 *
 *     program ──▶ local side ──▶ path ──▶ TURN server ──▶ peer
 */
import type { TransportAddress } from "../net/address.ts";
import type { TurnClientOptions } from "../turn-client/turn-client.ts";

export interface TunnelOptions {
  /** Called for each allocation: it generates time-limited credentials. */
  readonly server: () => TurnClientOptions;
  readonly peer: TransportAddress;
  /** Events of a client: it connected, disconnected, or could not be served. */
  readonly report: (event: TunnelEvent) => void;
}

export interface TunnelEvent {
  readonly event: "opened" | "closed" | "failed";
  /** The client: `ADDRESS:PORT`, or `stdin`. */
  readonly client: string;
  readonly reason?: string;
}

/** Where programs connect. */
export interface LocalSide {
  /** As a URL. */
  readonly at: string;
  /** Resolves when there will be no more clients: at the end of standard input. For servers it never does. */
  readonly ended: Promise<void>;
  /** Deletes all allocations. */
  close(): Promise<void>;
}
