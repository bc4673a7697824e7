/** The connections of one allocation to its TCP peers (RFC 6062 §5), by peer: open ones, and those being made. */
import type { Ip } from "../net/ip.ts";
import { maxPeerConnections } from "./limits.ts";
import type { PeerConnection } from "./peer-connection.ts";

const keyOf = ({ text }: Ip, port: number): string => `${text} ${port}`;

export class PeerConnectionTable {
  /** Connections that are being made have no state to show yet. */
  readonly #byPeer = new Map<string, PeerConnection | undefined>();

  get established(): readonly PeerConnection[] {
    return [...this.#byPeer.values()].filter((connection) => connection !== undefined);
  }

  get hasRoom(): boolean {
    return this.#byPeer.size < maxPeerConnections;
  }

  /** Whether there is a connection to the peer, or one is being made. */
  has(peer: Ip, port: number): boolean {
    return this.#byPeer.has(keyOf(peer, port));
  }

  /** Reserves a place for a connection that is being made; false if there are too many. */
  reserve(peer: Ip, port: number): boolean {
    if (!this.hasRoom) return false;
    this.#byPeer.set(keyOf(peer, port), undefined);
    return true;
  }

  /** Releases the place, if the connection failed. */
  release(peer: Ip, port: number): void {
    const key = keyOf(peer, port);
    if (this.#byPeer.get(key) === undefined) this.#byPeer.delete(key);
  }

  add(connection: PeerConnection): void {
    this.#byPeer.set(keyOf(connection.peer, connection.port), connection);
  }

  remove(connection: PeerConnection): void {
    const key = keyOf(connection.peer, connection.port);
    if (this.#byPeer.get(key) === connection) this.#byPeer.delete(key);
  }
}
