/** A client's connection whose handshake is complete: reads and writes what is inside TLS. */
import { Socket } from "node:net";
import { pipeline, Transform } from "node:stream";
import type { TransportAddress } from "../../net/address.ts";
import { loadSys } from "../engines/batch/sys.ts";
import { lingerMilliseconds } from "../limits.ts";
import type { TlsSession } from "../openssl/tls-server.ts";
import type { Connection, ConnectionOwner } from "./connection.ts";

const nothing = Buffer.alloc(0);

export class TlsConnection implements Connection {
  readonly #raw: Connection;
  readonly #session: TlsSession;
  #owner: ConnectionOwner | undefined;
  #isReading = false;
  /** Read, but not yet consumed. */
  #rest: Buffer = nothing;

  /** The caller owns `raw`, and passes on what it reads: {@link take}, {@link ended}. */
  constructor(raw: Connection, session: TlsSession) {
    this.#raw = raw;
    this.#session = session;
  }

  get client(): TransportAddress {
    return this.#raw.client;
  }

  get server(): TransportAddress {
    return this.#raw.server;
  }

  get isClosed(): boolean {
    return this.#raw.isClosed;
  }

  get backlogBytes(): number {
    return this.#raw.backlogBytes;
  }

  begin(owner: ConnectionOwner): void {
    this.#owner = owner;
    this.#isReading = true;
  }

  /** Takes what the client has sent. */
  take(sealed: Buffer): void {
    this.#session.push(sealed);
    this.#read();
  }

  /** The connection has ended. */
  ended(): void {
    this.#session.free();
    this.#owner?.closed();
  }

  pause(rest: Buffer): void {
    // Goes before what was left earlier: it is passed on first.
    this.#rest = Buffer.concat([rest, this.#rest]);
    this.#isReading = false;
    this.#raw.pause(nothing);
  }

  resume(): void {
    if (this.isClosed || this.#isReading) return;
    this.#isReading = true;
    const rest = this.#rest;
    this.#rest = nothing;
    if (rest.length > 0) this.#owner?.data(rest);
    this.goOn();
  }

  /** Reads what has arrived, and then what arrives. */
  goOn(): void {
    this.#read();
    if (this.#isReading && !this.isClosed) this.#raw.resume();
  }

  send(bytes: Buffer, start: number, end: number): void {
    if (this.isClosed) return;
    if (this.#session.write(bytes.subarray(start, end))) this.#transmit();
    else this.destroy();
  }

  handUp(work: () => void): void {
    this.#raw.handUp(work);
  }

  /** A pair of sockets: one is the caller's; what passes the other one is sealed and opened here. */
  detach(): Socket {
    this.#isReading = false;
    const [near, far] = loadSys()
      .streamPair()
      .map((fd) => new Socket({ fd, readable: true, writable: true }));
    if (near === undefined || far === undefined) throw new Error("there is no pair of sockets");
    if (this.#rest.length > 0) far.write(this.#rest);
    join(this.#raw.detach(), far, this.#session);
    near.pause();
    return near;
  }

  destroy(): void {
    this.#raw.destroy();
  }

  #read(): void {
    const session = this.#session;
    while (this.#isReading && !this.isClosed) {
      const plain = session.read();
      if (plain === "ended") return this.#end();
      // Key updates, for example, are answered.
      if (plain === undefined) return this.#transmit();
      this.#owner?.data(plain);
      if (!session.hasMore) return undefined;
    }
    return undefined;
  }

  /** The client has ended the session; or it receives an alert that says why the session ends. */
  #end(): void {
    this.pause(nothing);
    this.#transmit();
    this.#raw.handUp(() => this.destroy());
  }

  #transmit(): void {
    const sealed = this.#session.toSend();
    if (sealed !== undefined) this.#raw.send(sealed, 0, sealed.length);
  }
}

/** Opens what `raw` reads for `far`, and seals what `far` reads for `raw`, until either ends. */
const join = (raw: Socket, far: Socket, session: TlsSession): void => {
  const sealed = (): Buffer => Buffer.from(session.toSend() ?? nothing);
  const open = new Transform({
    transform(chunk: Buffer, _, done) {
      session.push(chunk);
      let plain = session.read();
      for (; plain instanceof Buffer; plain = session.read()) this.push(Buffer.from(plain));
      if (plain === "ended") this.push(null);
      done();
    },
  });
  const seal = new Transform({
    transform(chunk: Buffer, _, done) {
      done(null, session.write(chunk) ? sealed() : nothing);
    },
    flush(done) {
      // A client that does not read the rest is not waited for.
      raw.setTimeout(lingerMilliseconds, () => raw.destroy());
      session.shutdown();
      done(null, sealed());
    },
  });
  open.write(nothing);
  pipeline(raw, open, far, () => undefined);
  pipeline(far, seal, raw, () => undefined);
};
