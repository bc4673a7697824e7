/**
 * TLS handshakes of the engine's connections, limited in number and time. Before one begins, the ClientHello says whether
 * the client wants TURN or the HTTP backend.
 */
import type { TlsServer, TlsSession } from "../openssl/tls-server.ts";
import { maxClientHelloBytes, noHello, readClientHello, type ClientHello } from "./client-hello.ts";
import type { Connection, ConnectionOwner } from "./connection.ts";
import type { ListenerOwner } from "./listener.ts";
import { isHttp } from "./protocols.ts";
import { TlsConnection } from "./tls-connection.ts";

const nothing = Buffer.alloc(0);

export class TlsHandshakes {
  readonly server: TlsServer;
  readonly owner: ListenerOwner;
  /** In order of arrival. */
  readonly #open = new Set<Handshake>();

  constructor(server: TlsServer, owner: ListenerOwner) {
    this.server = server;
    this.owner = owner;
  }

  /** Takes a new connection; `accept` gets it once its handshake is complete. */
  take(raw: Connection, accept: (connection: Connection) => void): void {
    const { maxHandshakes } = this.owner.limits;
    const handshake = new Handshake(this, raw, accept);
    this.#open.add(handshake);
    const [oldest] = this.#open;
    if (this.#open.size > maxHandshakes) oldest?.fail("handshakes");
    raw.begin(handshake);
  }

  forget(handshake: Handshake): boolean {
    return this.#open.delete(handshake);
  }

  close(): void {
    for (const handshake of this.#open) handshake.abandon();
  }
}

class Handshake implements ConnectionOwner {
  readonly #all: TlsHandshakes;
  readonly #raw: Connection;
  readonly #accept: (connection: Connection) => void;
  readonly #timer: NodeJS.Timeout;
  /** What was read until the ClientHello is whole. */
  #read: Buffer = nothing;
  #session: TlsSession | undefined;
  /** Once the handshake is complete. */
  #connection: TlsConnection | undefined;

  constructor(all: TlsHandshakes, raw: Connection, accept: (connection: Connection) => void) {
    this.#all = all;
    this.#raw = raw;
    this.#accept = accept;
    this.#timer = setTimeout(() => this.fail("handshake"), all.owner.limits.handshakeMilliseconds).unref();
  }

  data(chunk: Buffer): void {
    if (this.#connection !== undefined) return this.#connection.take(chunk);
    const bytes = Buffer.from(chunk);
    // One step at a time, and none among the packets of others.
    this.#raw.pause(nothing);
    this.#raw.handUp(() => this.#step(bytes));
    return undefined;
  }

  closed(): void {
    if (this.#connection !== undefined) return this.#connection.ended();
    this.#session?.free();
    if (this.#forget()) this.#count("handshake");
    return undefined;
  }

  fail(reason: "handshake" | "handshakes"): void {
    if (!this.#forget()) return;
    this.#count(reason);
    // If the client is at fault, it receives an alert that says why.
    this.#transmit();
    setImmediate(() => this.#raw.destroy());
  }

  abandon(): void {
    if (this.#forget()) this.#raw.destroy();
  }

  /** Whether it was still open. */
  #forget(): boolean {
    clearTimeout(this.#timer);
    return this.#all.forget(this);
  }

  #count(reason: "handshake" | "handshakes"): void {
    const { counts, dropped } = this.#all.owner;
    counts.failedHandshakes++;
    dropped(reason);
  }

  #step(bytes: Buffer): void {
    if (this.#raw.isClosed) return;
    if (this.#session === undefined) this.#hello(bytes);
    else this.#shake(this.#session, bytes);
  }

  #hello(bytes: Buffer): void {
    this.#read = Buffer.concat([this.#read, bytes]);
    const hello = readClientHello(this.#read);
    if (typeof hello === "object" && "more" in hello && this.#read.length < maxClientHelloBytes)
      return this.#raw.resume();
    return this.#begin(typeof hello === "object" && !("more" in hello) ? hello : noHello);
  }

  #begin(hello: ClientHello): void {
    const { server, owner } = this.#all;
    const raw = this.#raw;
    if (owner.backend !== undefined && isHttp(hello.protocols)) {
      this.#forget();
      raw.pause(this.#read);
      owner.splice(raw.detach(), { source: raw.client, destination: raw.server });
      return;
    }
    this.#session = server.begin(hello, owner.isStunOnly);
    this.#shake(this.#session, this.#read);
    this.#read = nothing;
  }

  #shake(session: TlsSession, bytes: Buffer): void {
    session.push(bytes);
    const outcome = session.shake();
    if (outcome === "failed") return this.fail("handshake");
    this.#transmit();
    if (outcome === "goes-on") return this.#raw.resume();
    this.#forget();
    this.#all.owner.counts.handshakes++;
    this.#connection = new TlsConnection(this.#raw, session);
    this.#accept(this.#connection);
    return this.#connection.goOn();
  }

  #transmit(): void {
    const sealed = this.#session?.toSend();
    if (sealed !== undefined) this.#raw.send(sealed, 0, sealed.length);
  }
}
