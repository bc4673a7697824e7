/**
 * TCP connections of clients, read and written by the batch engine's own system calls: received data is processed in memory
 * that all connections share, and data for a client is sent in place at the end of the turn.
 */
import { Socket } from "node:net";
import { familyOf, type TransportAddress } from "../../../net/address.ts";
import type { Connection, ConnectionOwner } from "../../listeners/connection.ts";
import { MAX_DATAGRAM_BYTES } from "./arena.ts";
import type { Datagrams, Readable } from "./datagrams.ts";
import { addressOf, bound } from "./sockaddr.ts";
import { EAGAIN, EINTR, EPOLLIN, EPOLLOUT, loadSys, type Sys } from "./sys.ts";

const BACKLOG = 511;
/** Maximum number of connections accepted in one turn, so that other connections run in between. */
const ACCEPTS = 64;
/** How long no connections are accepted after descriptors ran out. */
const NO_DESCRIPTORS_MS = 100;
const nothing = Buffer.alloc(0);

export class StreamSocket implements Connection, Readable {
  readonly fd: number;
  readonly client: TransportAddress;
  readonly server: TransportAddress;
  isClosed = false;
  readonly #datagrams: Datagrams;
  readonly #sys: Sys = loadSys();
  #owner: ConnectionOwner | undefined;
  #isReading = false;
  #interest = 0;
  /** Read, but not yet consumed. */
  #rest: Buffer = nothing;
  /** Data that the kernel did not accept. */
  #unsent: Buffer = nothing;
  /** Pieces of the arena to send with the turn: start and end of each. */
  readonly #pieces: number[] = [];
  #pieceBytes = 0;
  /** After `detach`. */
  #socket: Socket | undefined;

  constructor(datagrams: Datagrams, fd: number, client: TransportAddress, server: TransportAddress) {
    this.#datagrams = datagrams;
    this.fd = fd;
    this.client = client;
    this.server = server;
    datagrams.own(fd, true);
  }

  get backlogBytes(): number {
    return this.#socket?.writableLength ?? this.#unsent.length + this.#pieceBytes;
  }

  begin(owner: ConnectionOwner): void {
    this.#owner = owner;
    this.#isReading = true;
    this.#want();
  }

  pause(rest: Buffer): void {
    // Goes before what was left earlier: it is passed on first.
    this.#rest = Buffer.concat([rest, this.#rest]);
    this.#isReading = false;
    this.#want();
  }

  resume(): void {
    if (this.isClosed || this.#isReading) return;
    this.#isReading = true;
    const rest = this.#rest;
    this.#rest = nothing;
    if (rest.length > 0) this.#owner?.data(rest);
    this.#want();
  }

  send(bytes: Buffer, start: number, end: number): void {
    if (this.isClosed) return;
    if (this.#socket !== undefined) {
      this.#socket.write(Buffer.from(bytes.subarray(start, end)));
      return;
    }
    // More than a slot of the arena holds: the records of a long message, or of a long chain of certificates.
    for (; end - start > MAX_DATAGRAM_BYTES; start += MAX_DATAGRAM_BYTES)
      this.#place(bytes, start, start + MAX_DATAGRAM_BYTES);
    this.#place(bytes, start, end);
  }

  #place(bytes: Buffer, start: number, end: number): void {
    const at = this.#datagrams.placeOf(bytes, start, end);
    if (this.#pieces.length === 0) this.#datagrams.flushLater(this);
    this.#pieces.push(at, at + end - start);
    this.#pieceBytes += end - start;
  }

  handUp(work: () => void): void {
    this.#datagrams.handUp(work);
  }

  /** The connection is readable, or writable again. */
  ready(): void {
    if (this.#unsent.length > 0) this.#sendUnsent();
    if (!this.#isReading || this.isClosed) return;
    const { input, inputAt } = this.#datagrams;
    const count = this.#sys.recv(this.fd, inputAt, input.length);
    if (count > 0) this.#owner?.data(input.subarray(0, count));
    else if (count === 0 || !isPassing(this.#sys.errno())) this.destroy();
  }

  /** Sends what waits, before its memory is reused. */
  flush(): void {
    const [start = 0, end = 0] = this.#pieces;
    const bytes = this.#pieceBytes;
    if (this.isClosed || bytes === 0) return;
    const { output, outputAt, arena } = this.#datagrams;
    let from = arena.base + start;
    if (this.#unsent.length > 0 || bytes > output.length) this.#keep(this.#gathered(Buffer.allocUnsafe(bytes)));
    else {
      if (this.#pieces.length > 2) {
        this.#gathered(output);
        from = outputAt;
      }
      const sent = Math.max(0, this.#write(from, bytes));
      if (sent < bytes && !this.isClosed)
        this.#keep(
          Buffer.from((from === outputAt ? output : this.#datagrams.bytes.subarray(start, end)).subarray(sent, bytes)),
        );
    }
    this.#pieces.length = 0;
    this.#pieceBytes = 0;
  }

  detach(): Socket {
    this.flush();
    this.#isReading = false;
    this.#interest = 0;
    this.#datagrams.forget(this);
    const socket = new Socket({ fd: this.fd, readable: true, writable: true });
    this.#socket = socket;
    socket.pause();
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#ended());
    if (this.#unsent.length > 0) socket.write(this.#unsent);
    if (this.#rest.length > 0) socket.unshift(this.#rest);
    this.#unsent = this.#rest = nothing;
    return socket;
  }

  close(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.isClosed) return;
    if (this.#socket !== undefined) {
      this.#socket.destroy();
      return;
    }
    this.#interest = 0;
    this.#datagrams.forget(this);
    this.#sys.close(this.fd);
    this.#ended();
  }

  #ended(): void {
    this.isClosed = true;
    this.#datagrams.handUp(() => this.#owner?.closed());
  }

  /** Merges all pieces into one. */
  #gathered(into: Buffer): Buffer {
    let at = 0;
    for (let index = 0; index < this.#pieces.length; index += 2)
      at += this.#datagrams.bytes.copy(into, at, this.#pieces[index], this.#pieces[index + 1]);
    return into;
  }

  /** @returns the number of bytes that the kernel accepted; -1 if none. A lost connection is closed. */
  #write(at: number, bytes: number): number {
    const sent = this.#sys.send(this.fd, at, bytes);
    if (sent < 0 && !isPassing(this.#sys.errno())) this.destroy();
    return sent;
  }

  #keep(bytes: Buffer): void {
    this.#unsent = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes]);
    this.#want();
  }

  #sendUnsent(): void {
    const sent = this.#write(this.#sys.addressOf(this.#unsent), this.#unsent.length);
    if (sent <= 0) return;
    this.#unsent = sent === this.#unsent.length ? nothing : Buffer.from(this.#unsent.subarray(sent));
    this.#want();
  }

  /** Sets the events that the loop watches to those that are needed now. */
  #want(): void {
    if (this.isClosed || this.#socket !== undefined) return;
    const interest = (this.#isReading ? EPOLLIN : 0) | (this.#unsent.length > 0 ? EPOLLOUT : 0);
    if (interest === this.#interest) return;
    this.#datagrams.want(this, this.#interest, interest);
    this.#interest = interest;
  }
}

const isPassing = (errno: number): boolean => errno === EAGAIN || errno === EINTR;

/** A port that clients connect to. */
export class StreamPort implements Readable {
  readonly fd: number;
  readonly at: TransportAddress;
  readonly #datagrams: Datagrams;
  readonly #sys: Sys = loadSys();
  readonly #accept: (connection: StreamSocket) => void;
  #isOpen = true;

  /** @throws the error of the system call, with the address. */
  constructor(
    datagrams: Datagrams,
    at: TransportAddress,
    isShared: boolean,
    accept: (connection: StreamSocket) => void,
  ) {
    this.#datagrams = datagrams;
    this.#accept = accept;
    const sys = this.#sys;
    const fd = sys.streamSocket(familyOf(at.address));
    const share = isShared ? sys.reusePort : sys.reuseAddress;
    bound(
      sys,
      fd,
      at,
      () => share(fd),
      () => sys.listen(fd, BACKLOG),
    );
    this.fd = fd;
    datagrams.own(fd, true);
    this.at = { address: at.address, port: this.#sys.portOf(fd) };
    datagrams.want(this, 0, EPOLLIN);
  }

  ready(): void {
    for (let count = 0; count < ACCEPTS && this.#isOpen; count++) {
      const fd = this.#sys.accept(this.fd);
      if (fd < 0) {
        if (this.#sys.isOutOfDescriptors()) this.#rest();
        return;
      }
      this.#sys.noDelay(fd);
      const [client, server] = [this.#sys.peerOf(fd), this.#sys.nameOf(fd)];
      // The connection may be closed already.
      if (client === undefined || server === undefined) this.#sys.close(fd);
      else {
        const connection = new StreamSocket(this.#datagrams, fd, addressOf(client), addressOf(server));
        this.#datagrams.handUp(() => this.#accept(connection));
      }
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#datagrams.forget(this);
    this.#sys.close(this.fd);
  }

  #rest(): void {
    this.#datagrams.drops["no-descriptors"]++;
    this.#datagrams.want(this, EPOLLIN, 0);
    setTimeout(() => {
      if (this.#isOpen) this.#datagrams.want(this, 0, EPOLLIN);
    }, NO_DESCRIPTORS_MS).unref();
  }
}
