/** What a load consists of. */
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
  /** How the server's certificate is checked, over TLS and DTLS. */
  readonly verification?: Verification;
  /** Packets that each client has under way; not used with a rate. A multiple of `burst`. */
  readonly window: number;
  /** Packets that a client sends back to back. */
  readonly burst: number;
  /** Whether the packets of a burst are given to the kernel in one piece (UDP GSO), as no client does. */
  readonly gso: boolean;
  /** Packets a second of each client; 0: as many as come back. */
  readonly rate: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}
