/** The settings of a load test. */
import type { TransportAddress } from "../net/address.ts";
import type { TransportName } from "../turn-client/turn-client.ts";
import type { Verification } from "../turn-client/transport.ts";

export interface LoadOptions {
  readonly server: TransportAddress;
  readonly username: string;
  readonly password: string;
  readonly clients: number;
  /** Echo peers; client `n` sends to peer `n` modulo this. */
  readonly peers: number;
  /** IP literal of the clients and of the peers. */
  readonly address: string;
  /** At least 8. */
  readonly payloadBytes: number;
  readonly via: "channel" | "indication";
  readonly transport: TransportName;
  /** How to verify the server's certificate, over TLS and DTLS. */
  readonly verification?: Verification;
  /** Packets in flight for each client; not used with a rate. A multiple of `burst`. */
  readonly window: number;
  /** Packets that a client sends back to back. */
  readonly burst: number;
  /** Whether the packets of a burst are passed to the kernel in one piece (UDP GSO), as real clients do not. */
  readonly gso: boolean;
  /** Packets a second of each client; 0: as many as come back. */
  readonly rate: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}
