/** How clients are reached: what a listener of any transport provides to control, and needs from it. */
import type { Socket } from "node:net";
import type { DropCode } from "../../reasons.ts";
import type { Limits } from "../limits.ts";
import type { ClientPath, Flow } from "../flows.ts";
import type { TransportAddress } from "../../net/address.ts";
import type { HttpBackend } from "./http-backend.ts";
import type { Addresses } from "./proxied.ts";
import type { ProxyAddresses } from "./proxy-header.ts";

/** For NAT behaviour discovery, RFC 5780: the other transport addresses of a listener that has two addresses. */
export interface Discovery {
  /** Where both address and port are others than those of the path. */
  readonly other: TransportAddress;
  /** The way to the same client, or to another port of it, from the other address or port of ours. */
  by(changesAddress: boolean, changesPort: boolean, clientPort: number | undefined): ListenerPath;
}

/** A five-tuple to which a listener can attach a flow. */
export interface ListenerPath extends ClientPath {
  readonly discovery?: Discovery | undefined;
  install(flow: Flow): void;
  remove(flow: Flow): void;
  /**
   * Only streams have it: the callee owns the connection from here on, and the connection carries no more messages (RFC
   * 6062 §5.4). Returns undefined if it has an allocation.
   */
  takeOver?(): Socket | undefined;
}

/** What a listener counts in addition to its traffic, since it started. */
export interface ListenerCounts {
  /** Connections that clients have made. */
  connections: number;
  /** TLS and DTLS handshakes that completed, and those that failed. */
  handshakes: number;
  failedHandshakes: number;
}

export const noCounts = (): ListenerCounts => ({ connections: 0, handshakes: 0, failedHandshakes: 0 });

/** A stream that moves between threads: its listener, and its addresses. */
export interface HandedStream {
  readonly gateway: string;
  readonly listener: string;
  readonly client: TransportAddress;
  readonly server: TransportAddress;
}

/** What the listeners of several threads share when they serve the same stream port. */
export interface SharedStreams {
  /** TLS sessions of one thread can be resumed on all. 48 bytes. */
  readonly ticketKeys: Uint8Array;
  /**
   * Passes `stream` to the thread that has peer connection `connectionId`. Resolves to a stream to that thread: what is
   * written to it arrives as if from the client. Rejects if that thread does not run.
   */
  handOver(stream: HandedStream, connectionId: number): Promise<Socket>;
}

export interface ListenerOwner {
  /** Whether a UDP listener with two addresses answers NAT behaviour discovery. */
  readonly natDiscovery: boolean;
  readonly counts: ListenerCounts;
  readonly limits: Limits;
  /** Absent if only one thread has the port. */
  readonly streams: SharedStreams | undefined;
  /** Streams begin with a PROXY header. */
  readonly proxyProtocol: boolean;
  /** Where streams that are not TURN are passed on; undefined: all are TURN. */
  readonly backend: HttpBackend | undefined;
  /** It answers only Binding requests. */
  readonly isStunOnly: boolean;
  /** Passes a paused stream on to `backend`; it begins with all that the client has sent. */
  splice(client: Socket, addresses: ProxyAddresses): void;
  /** Whether messages wait to be processed: streams are not read until none do. */
  readonly isBusy: boolean;
  whenCalm(then: () => void): void;
  /** One STUN message, not a Send indication. The callee owns `bytes`. */
  message(bytes: Buffer, path: ListenerPath): void;
  /** A stream client has disconnected. */
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

/** The certificates of a listener: the first is the default. */
export interface Materials {
  readonly first: Material;
  readonly further: readonly Material[];
}

export interface OpenListener {
  /** `ADDRESS:PORT` of each socket. */
  readonly at: readonly string[];
  connections(): number;
  /** Takes a stream that another thread accepted, with its addresses. */
  take?(socket: Socket, addresses: Addresses): void;
  /** Datagrams that the kernel dropped because buffers were full. */
  kernelDrops?(): number;
  /** Why further certificates are not served. */
  faults?(): readonly string[];
  /** New handshakes use `materials` from here on; open sessions stay. @throws OpenSSL's error for the first. */
  renew?(materials: Materials): void;
  close(): Promise<void>;
}

/** `PROTOCOL CLIENT SERVER`, the five-tuple as a key. */
export const fiveTuple = ({ protocol, client, server }: ClientPath): string =>
  `${protocol} ${client.address} ${client.port} ${server.address} ${server.port}`;
