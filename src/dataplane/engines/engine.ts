/**
 * The seam between control and packets. An engine owns UDP sockets, forwards what the flow table covers, and hands
 * everything else up.
 */
import type { WireAddress, TransportAddress } from "../../net/address.ts";
import type { Connection } from "../listeners/connection.ts";
import type { RelayAddress } from "../placement.ts";
import type { Drops, FlowTable, RelayPort, Traffic } from "../flows.ts";

/** Where a client socket hands up what is no media: STUN that is no Send indication. */
export interface ClientPortOwner {
  /** `bytes` are the callee's. `from`: the own address that they came to, on a wildcard port: what answers them comes from there. */
  message(bytes: Buffer, client: TransportAddress, from?: TransportAddress): void;
  /** The socket is lost. */
  failed(reason: string): void;
}

/** A UDP socket that hands up all datagrams, for DTLS. */
export interface DatagramPort {
  readonly at: TransportAddress;
  /** Sends bytes `start` to `end` of `bytes`, which must not be touched afterwards but by the engine that they came from. */
  send(bytes: Buffer, start: number, end: number, to: WireAddress): void;
  /** Datagrams that the kernel dropped for want of room. */
  kernelDrops(): number;
  close(): Promise<void>;
}

/** A UDP socket that clients send to. */
export interface ClientPort extends DatagramPort {
  readonly flows: FlowTable;
}

/** A port that clients connect to. */
export interface StreamPortOfClients {
  readonly at: TransportAddress;
  /** Accepts no more. Connections stay. */
  close(): void;
}

/** A bound port that nobody reads: a descriptor of this process, which any of its threads can take. */
export interface HeldPort {
  readonly fd: number;
  readonly address: RelayAddress;
  readonly port: number;
}

export interface Engine {
  /** Binds a client socket; rejects when it cannot. */
  listen(at: TransportAddress, traffic: Traffic, owner: ClientPortOwner): Promise<ClientPort>;
  /** Binds a socket that hands up every datagram; rejects when it cannot. */
  datagrams(at: TransportAddress, owner: ClientPortOwner): Promise<DatagramPort>;
  /**
   * Binds a port for TCP, and gives every connection to `accept`; rejects when it cannot. `isShared`: others may listen on it as
   * well. Absent where connections are Node's sockets.
   */
  streams?(
    at: TransportAddress,
    isShared: boolean,
    accept: (connection: Connection) => void,
  ): Promise<StreamPortOfClients>;
  /** Binds a relayed transport address; port 0 for any. Rejects when it cannot. */
  relay(address: RelayAddress, port: number): Promise<RelayPort>;
  /** Relayed transport addresses that go from one thread's engine to another's; absent where they cannot. */
  readonly handOver?: {
    /** Lets go of `port`, which is no longer read; its descriptor is the caller's to close, or to hand on. */
    release(port: RelayPort): HeldPort;
    /** Takes one that was let go of, here or elsewhere. */
    accept(held: HeldPort): RelayPort;
  };
  /** Whether a datagram to a peer can be sent with the DF bit set (DONT-FRAGMENT). */
  readonly canSetDontFragment: boolean;
  /** Closes what is still open. */
  close(): void;
}

export interface EngineOptions {
  readonly drops: Drops;
  /** Who binds sockets of clients, where it is not the engine: workers share a port, and one that fails must not close it. */
  readonly clientSockets?: {
    /** A bound descriptor; rejects when it cannot be. */
    open(at: TransportAddress): Promise<number>;
    close(at: TransportAddress): Promise<void>;
  };
  /** By descriptor, 1 for those that the engine has open: whoever outlives it can close them. */
  readonly descriptors?: Uint8Array;
  /** Whether requests wait for a timer: then the engine's thread must not stand still for long. */
  readonly isBusy?: () => boolean;
}
