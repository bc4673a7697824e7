/** What a load is made of. */
import type { TransportAddress } from "../net/address.ts";

export interface LoadOptions {
  readonly server: TransportAddress;
  readonly username: string;
  readonly password: string;
  readonly clients: number;
  /** Echo peers; client `n` sends to peer `n` modulo this. */
  readonly peers: number;
  /** IP literal that clients and peers are at. */
  readonly address: string;
  /** At least 8. */
  readonly payloadBytes: number;
  readonly via: "channel" | "indication";
  readonly transport: "udp" | "tcp";
  /** Packets that each client keeps under way; with a rate it does not count. */
  readonly window: number;
  /** Packets a second of each client; 0: as many as come back. */
  readonly rate: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}
