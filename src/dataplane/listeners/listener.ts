/** How clients are reached: what a listener of any transport gives to control, and gets from it. */
import type { Socket } from "node:net";
import type { DropCode } from "../../reasons.ts";
import type { Limits } from "../limits.ts";
import type { ClientPath, Flow } from "../flows.ts";
import type { TransportAddress } from "../../net/address.ts";
import type { Addresses } from "./proxied.ts";

/** A five-tuple that a listener can put a flow on. */
export interface ListenerPath extends ClientPath {
  install(flow: Flow): void;
  remove(flow: Flow): void;
  /**
   * Streams have it: the connection is the callee's from here on, and carries no more messages (RFC 6062 §5.4). Nothing where
   * it has an allocation.
   */
  takeOver?(): Socket | undefined;
}

/** What a listener counts beside its traffic, since it started. */
export interface ListenerCounts {
  /** Connections that clients have made. */
  connections: number;
  /** TLS and DTLS handshakes that were completed, and those that were not. */
  handshakes: number;
  failedHandshakes: number;
}

export const noCounts = (): ListenerCounts => ({ connections: 0, handshakes: 0, failedHandshakes: 0 });

/** A stream that goes from one thread to another: its listener, and its addresses. */
export interface HandedStream {
  readonly gateway: string;
  readonly listener: string;
  readonly client: TransportAddress;
  readonly server: TransportAddress;
}

/** What the listeners of several threads share that serve one port for streams. */
export interface SharedStreams {
  /** TLS sessions that one thread began are resumed by all. 48 bytes. */
  readonly ticketKeys: Uint8Array;
  /**
   * Gives `stream` to the thread that has peer connection `connectionId`. Resolves to the way there: what is written to it
   * arrives as if from the client. Rejects when that thread does not run.
   */
  handOver(stream: HandedStream, connectionId: number): Promise<Socket>;
}

export interface ListenerOwner {
  readonly counts: ListenerCounts;
  readonly limits: Limits;
  /** Absent where one thread has the port alone. */
  readonly streams: SharedStreams | undefined;
  /** Streams begin with a PROXY header. */
  readonly proxyProtocol: boolean;
  /** Whether messages wait to be looked at: streams are not read on until none do. */
  readonly isBusy: boolean;
  whenCalm(then: () => void): void;
  /** One STUN message, not a Send indication. `bytes` are the callee's. */
  message(bytes: Buffer, path: ListenerPath): void;
  /** A stream client is gone. */
  gone(path: ListenerPath): void;
  /** Something was dropped before it became a message. */
  dropped(reason: DropCode): void;
  /** A socket is lost. */
  failed(reason: string): void;
}

/** A certificate chain and its key, in PEM. */
export interface Material {
  readonly certificate: Buffer;
  readonly key: Buffer;
}

export interface OpenListener {
  /** `ADDRESS:PORT` of each socket. */
  readonly at: readonly string[];
  connections(): number;
  /** Takes a stream that another thread accepted, with its addresses. */
  take?(socket: Socket, addresses: Addresses): void;
  /** Datagrams that the kernel dropped for want of room. */
  kernelDrops?(): number;
  /** New handshakes use `material` from here on; those that are up stay. @throws what OpenSSL says of it. */
  renew?(material: Material): void;
  close(): Promise<void>;
}

/** `PROTOCOL CLIENT SERVER`, the five-tuple as a key. */
export const fiveTuple = ({ protocol, client, server }: ClientPath): string =>
  `${protocol} ${client.address} ${client.port} ${server.address} ${server.port}`;
