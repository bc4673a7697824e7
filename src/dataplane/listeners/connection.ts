/** A byte stream from a client, as listeners for streams use it: a socket of Node's, or one of the batch engine's. */
import type { Socket } from "node:net";
import type { TransportAddress } from "../../net/address.ts";
import { parseIp } from "../../net/ip.ts";
import type { Addresses } from "./proxied.ts";
import type { ProxyAddresses } from "./proxy-header.ts";

export interface ConnectionOwner {
  /** Receives what was read. The callee owns `chunk` until it returns. */
  data(chunk: Buffer): void;
  closed(): void;
}

export interface Connection {
  readonly client: TransportAddress;
  readonly server: TransportAddress;
  readonly isClosed: boolean;
  /** Bytes that wait to be sent. */
  readonly backlogBytes: number;
  /** Starts to read. */
  begin(owner: ConnectionOwner): void;
  /** Stops reading. `rest` was read but not consumed: it is passed on again after {@link resume}. */
  pause(rest: Buffer): void;
  resume(): void;
  /**
   * Sends bytes `start` to `end` of `bytes`. Afterwards only the engine that they came from may touch them. Data that is
   * sent in one turn leaves in one piece.
   */
  send(bytes: Buffer, start: number, end: number): void;
  /** Runs work other than moving bytes: at once, or after the turn of the engine. */
  handUp(work: () => void): void;
  /**
   * The connection as a paused socket that begins with the unconsumed data. The owner's `closed` is called when it ends;
   * `data` no longer is.
   */
  detach(): Socket;
  destroy(): void;
}

const addressOf = (address: string | undefined, port: number | undefined): TransportAddress => ({
  address: parseIp(address ?? "")?.text ?? "0.0.0.0",
  port: port ?? 0,
});

/** Its own addresses, without what a load balancer reports. */
export const addressesOf = (socket: Socket): ProxyAddresses => ({
  source: addressOf(socket.remoteAddress, socket.remotePort),
  destination: addressOf(socket.localAddress, socket.localPort),
});

export class SocketConnection implements Connection {
  readonly client: TransportAddress;
  readonly server: TransportAddress;
  readonly #socket: Socket;
  /** Data to write at the end of this turn: a write per frame would be most of the cost of a stream. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #data: ((chunk: Buffer) => void) | undefined;

  /** @param addresses that a load balancer reported. */
  constructor(socket: Socket, addresses?: Addresses) {
    this.#socket = socket;
    const { source, destination } = addresses ?? addressesOf(socket);
    this.client = source;
    this.server = destination;
    // Node leaves a TLS socket open when a record cannot be decrypted.
    socket.on("error", () => socket.destroy());
    socket.setNoDelay(true);
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  get backlogBytes(): number {
    return this.#socket.writableLength + this.#waitingBytes;
  }

  begin(owner: ConnectionOwner): void {
    this.#data = (chunk) => owner.data(chunk);
    this.#socket.on("data", this.#data);
    this.#socket.on("close", () => owner.closed());
    this.#socket.resume();
  }

  pause(rest: Buffer): void {
    // The new owner of a detached connection reads it.
    if (this.#data !== undefined) this.#socket.pause();
    if (rest.length > 0) this.#socket.unshift(rest);
  }

  resume(): void {
    this.#socket.resume();
  }

  send(bytes: Buffer, start: number, end: number): void {
    if (this.#waiting.length === 0) queueMicrotask(this.#flush);
    this.#waiting.push(Buffer.from(bytes.subarray(start, end)));
    this.#waitingBytes += end - start;
  }

  /** The socket buffers what it cannot send at once. */
  readonly #flush = (): void => {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const whole = this.#waiting.length === 1 ? first : Buffer.concat(this.#waiting, this.#waitingBytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (!this.#socket.destroyed) this.#socket.write(whole);
  };

  handUp(work: () => void): void {
    work();
  }

  detach(): Socket {
    this.#flush();
    this.#socket.pause();
    if (this.#data !== undefined) this.#socket.removeListener("data", this.#data);
    this.#data = undefined;
    return this.#socket;
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
