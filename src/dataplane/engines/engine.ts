/**
 * The interface between control and packets. An engine owns UDP sockets, forwards what the flow table covers, and passes
 * everything else to control.
 */
import type { WireAddress, TransportAddress } from "../../net/address.ts";
import type { Connection } from "../listeners/connection.ts";
import type { RelayAddress } from "../placement.ts";
import type { Drops, FlowTable, RelayPort, Traffic } from "../flows.ts";

/** Receives from a client socket what is not media: STUN messages other than Send indications. */
export interface ClientPortOwner {
  /**
   * The callee owns `bytes`. `from`: the own address that they were sent to, on a wildcard port; answers are sent from it.
   */
  message(bytes: Buffer, client: TransportAddress, from?: TransportAddress): void;
  /** The socket is lost. */
  failed(reason: string): void;
}

/** A UDP socket that passes on all datagrams, for DTLS. */
export interface DatagramPort {
  readonly at: TransportAddress;
  /** Sends bytes `start` to `end` of `bytes`. Afterwards only the engine that they came from may touch them. */
  send(bytes: Buffer, start: number, end: number, to: WireAddress): void;
  /** Datagrams that the kernel dropped because buffers were full. */
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
  /** Stops accepting. Open connections stay. */
  close(): void;
}

/** A bound port that is not read: a descriptor of this process, which any of its threads can take. */
export interface HeldPort {
  readonly fd: number;
  readonly address: RelayAddress;
  readonly port: number;
}

export interface Engine {
  /** Binds a client socket; rejects if it cannot. */
  listen(at: TransportAddress, traffic: Traffic, owner: ClientPortOwner): Promise<ClientPort>;
  /** Binds a socket that passes on every datagram; rejects if it cannot. */
  datagrams(at: TransportAddress, owner: ClientPortOwner): Promise<DatagramPort>;
  /**
   * Binds a port for TCP, and passes every connection to `accept`; rejects if it cannot. `isShared`: other sockets may
   * listen on it as well. Absent if connections are Node's sockets.
   */
  streams?(
    at: TransportAddress,
    isShared: boolean,
    accept: (connection: Connection) => void,
  ): Promise<StreamPortOfClients>;
  /** Binds a relayed transport address; port 0 for any. Rejects if it cannot. */
  relay(address: RelayAddress, port: number): Promise<RelayPort>;
  /** Moves relayed transport addresses from one thread's engine to another's; absent if the engine cannot. */
  readonly handOver?: {
    /** Releases `port`, which is no longer read; the caller must close its descriptor or pass it on. */
    release(port: RelayPort): HeldPort;
    /** Takes a port that was released, here or elsewhere. */
    accept(held: HeldPort): RelayPort;
  };
  /** Whether a datagram to a peer can be sent with the DF bit set (DONT-FRAGMENT). */
  readonly canSetDontFragment: boolean;
  /** Closes what is still open. */
  close(): void;
}

export interface EngineOptions {
  readonly drops: Drops;
  /** Binds sockets of clients, if the engine does not: workers share a port, and one that fails must not close it. */
  readonly clientSockets?: {
    /** A bound descriptor; rejects if binding fails. */
    open(at: TransportAddress): Promise<number>;
    close(at: TransportAddress): Promise<void>;
  };
  /** By descriptor, 1 for those that the engine has open: code that outlives the engine can close them. */
  readonly descriptors?: Uint8Array;
  /** Whether requests wait for a timer: then the engine's thread must not block for long. */
  readonly isBusy?: () => boolean;
  /** How long the engine looks for packets without sleeping after the last one, in milliseconds; 0 by default. */
  readonly busyPollMs?: number;
}
