/**
 * A way from this machine through a TURN server to one peer. `local-*.ts` are where programs come in, `udp-path.ts` and
 * `tcp-path.ts` what each of them gets: an allocation of its own.
 *
 *     program ──▶ local side ──▶ path ──▶ TURN server ──▶ peer
 */
import type { TransportAddress } from "../net/address.ts";
import type { TurnClientOptions } from "../turn-client/turn-client.ts";

export interface TunnelOptions {
  /** Asked anew for each allocation: time-limited credentials are made then. */
  readonly server: () => TurnClientOptions;
  readonly peer: TransportAddress;
  /** What there is to tell of a client: it came, went, or could not be served. */
  readonly report: (event: TunnelEvent) => void;
}

export interface TunnelEvent {
  readonly event: "opened" | "closed" | "failed";
  /** Who it is of: `ADDRESS:PORT`, or `stdin`. */
  readonly client: string;
  readonly reason?: string;
}

/** Where programs come in. */
export interface LocalSide {
  /** As a URL. */
  readonly at: string;
  /** Resolves when there will be no more clients: at the end of standard input. Of servers it never does. */
  readonly ended: Promise<void>;
  /** Gives all allocations back. */
  close(): Promise<void>;
}
