/** The relay's own machine, as a peer: which of its addresses and ports a wide prefix opens. */
import type { ListenerConfig } from "../resources/dataplane-config.ts";
import type { Family } from "../net/ip.ts";

/** What admission needs to know of the machine that it runs on. */
export interface OwnHost {
  /** Whether it is an address of this machine; canonical. */
  has(address: string): boolean;
  /** Whether relayed transport addresses of clients are at `address`. */
  relaysAt(address: string): boolean;
  /**
   * Whether clients other than the one that asks have relayed transport addresses of this family; or a client has one at
   * `port`.
   */
  isRelayed(family: Family, port?: number): boolean;
  /** Whether a listener of the relay takes datagrams at `port`. */
  isListening(port: number): boolean;
}

/** The answers if no relay runs. */
export const hostAt = (addresses: readonly string[], listeningAt: readonly number[] = []): OwnHost => ({
  has: (address) => addresses.includes(address),
  relaysAt: () => false,
  isRelayed: () => false,
  isListening: (port) => listeningAt.includes(port),
});

/** Ports at which listeners take datagrams. */
export const datagramPorts = (listeners: readonly Pick<ListenerConfig, "protocol" | "port">[]): readonly number[] =>
  listeners.flatMap(({ protocol, port }) => (protocol === "TURN-UDP" || protocol === "TURN-DTLS" ? [port] : []));
