/** DTLS sessions of one socket (RFC 6347): cookies before any state, and certificates that may change while it runs. */
import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from "node:crypto";
import { readHelloBody } from "../listeners/client-hello.ts";
import type { Materials } from "../listeners/listener.ts";
import { Contexts } from "./contexts.ts";
import { loadOpenSsl, type Memory, type OpenSsl, type Session } from "./openssl.ts";

export interface SessionOwner {
  /** Sends a datagram to the other side. */
  send(datagram: Buffer): void;
  /** Receives the content of one record. */
  record(bytes: Buffer): void;
}

const MAX_DATAGRAM_BYTES = 65_535;
const COOKIE_BYTES = 20;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;

let scratch: Memory | undefined;
/** In use only during one call. */
const scratchOf = (ssl: OpenSsl): Memory => (scratch ??= ssl.memory(MAX_DATAGRAM_BYTES));

/** Whether `datagram` begins a handshake: a ClientHello in epoch 0. */
export const isClientHello = (datagram: Buffer): boolean =>
  datagram.length > 13 && datagram[0] === HANDSHAKE && datagram.readUInt16BE(3) === 0 && datagram[13] === CLIENT_HELLO;

const RECORD_HEADER_BYTES = 13;
const HANDSHAKE_HEADER_BYTES = 12;

/** The server name in a ClientHello that is whole, as clients' are; undefined if there is none. */
const serverNameIn = (datagram: Buffer): string | undefined =>
  readHelloBody(datagram.subarray(RECORD_HEADER_BYTES + HANDSHAKE_HEADER_BYTES), "dtls")?.serverName;

const CHANGE_CIPHER_SPEC = 20;
const APPLICATION_DATA = 23;
const DTLS_1_2 = 0xfefd;
/** Sessions do not renegotiate: all encrypted records have the same epoch. */
const EPOCH = 1;

/**
 * The records of `datagram` that may be of a client with an open session: encrypted, of the session's version, with
 * `shortest` bytes or more. Others, which anyone can send in the client's name, make OpenSSL end a session: a ClientHello,
 * a record too short for its tag, and the content of a record of another version.
 */
const sealedRecords = (datagram: Buffer, shortest: number): Buffer => {
  const sealed: Buffer[] = [];
  for (let at = 0; at + RECORD_HEADER_BYTES <= datagram.length;) {
    const length = datagram.readUInt16BE(at + 11);
    const end = at + RECORD_HEADER_BYTES + length;
    if (end > datagram.length) break;
    const type = datagram[at] ?? 0;
    if (
      type >= CHANGE_CIPHER_SPEC &&
      type <= APPLICATION_DATA &&
      datagram.readUInt16BE(at + 1) === DTLS_1_2 &&
      datagram.readUInt16BE(at + 3) === EPOCH &&
      length >= shortest
    ) {
      if (at === 0 && end === datagram.length) return datagram;
      sealed.push(datagram.subarray(at, end));
    }
    at = end;
  }
  return Buffer.concat(sealed);
};

/** One client, once its cookie is verified. */
export class DtlsSession {
  readonly #ssl: OpenSsl;
  readonly #session: Session;
  readonly #owner: SessionOwner;
  readonly #scratch: Memory;
  isClosed = false;
  #isEstablished = false;
  #hasEnded = false;
  #shortest: number | undefined;

  constructor(ssl: OpenSsl, session: Session, owner: SessionOwner) {
    this.#ssl = ssl;
    this.#session = session;
    this.#owner = owner;
    this.#scratch = scratchOf(ssl);
  }

  get isEstablished(): boolean {
    // Once complete, a handshake stays so: sessions do not renegotiate.
    this.#isEstablished ||= !this.isClosed && this.#ssl.isEstablished(this.#session);
    return this.#isEstablished && !this.isClosed;
  }

  /** Handles a datagram; its content is passed to the owner before this returns. False if the session has ended. */
  receive(datagram: Buffer): boolean {
    if (this.isClosed) return false;
    if (!this.isEstablished) {
      this.#ssl.push(this.#session, datagram);
      return this.advance();
    }
    const records = sealedRecords(datagram, this.#shortestRecord());
    if (records.length === 0) return true;
    this.#ssl.push(this.#session, records);
    // Nearly always there is one record, and nothing to read after it.
    return records === datagram && this.#readOne() ? !this.isClosed : this.advance();
  }

  /** Continues reading, without a new datagram. */
  advance(): boolean {
    while (this.#readOne()) if (this.isClosed) return false;
    this.#transmit();
    return !this.#hasEnded;
  }

  /** Whether a record was read and passed on. */
  #readOne(): boolean {
    const count = this.#ssl.read(this.#session, this.#scratch);
    this.#hasEnded = count < 0;
    if (count <= 0) return false;
    this.#owner.record(Buffer.from(this.#scratch.bytes.subarray(0, count)));
    return true;
  }

  /** False if it cannot be sent: the handshake is not complete, or the session has ended. */
  send(bytes: Buffer): boolean {
    if (this.isClosed || !this.#ssl.write(this.#session, bytes)) return false;
    // A record is one datagram.
    this.#transmitOne();
    return true;
  }

  /** Call this a few times a second during the handshake. False if the other side does not respond. */
  tick(): boolean {
    if (this.isClosed) return false;
    const goesOn = this.#ssl.retransmit(this.#session);
    this.#transmit();
    return goesOn;
  }

  /** Sends a close alert, and releases everything. */
  close(): void {
    if (this.isClosed) return;
    this.#ssl.shutdown(this.#session);
    this.#transmit();
    this.isClosed = true;
    this.#ssl.free(this.#session);
  }

  #shortestRecord(): number {
    return (this.#shortest ??= this.#ssl.shortestRecord(this.#session));
  }

  #transmit(): void {
    while (this.#transmitOne());
  }

  /** Whether there was a datagram to send. */
  #transmitOne(): boolean {
    const count = this.#ssl.pull(this.#session, this.#scratch);
    if (count > 0) this.#owner.send(Buffer.from(this.#scratch.bytes.subarray(0, count)));
    return count > 0;
  }
}

export class DtlsServer {
  readonly #ssl = loadOpenSsl();
  readonly #secret = createSecretKey(randomBytes(32));
  readonly #contexts: Contexts;
  /** Handles unauthenticated sources until one proves that it owns its address. */
  #listening: Session;

  readonly #isStunOnly: () => boolean;

  /** @throws OpenSSL's error for the first of `materials`. */
  constructor(materials: Materials, isStunOnly: () => boolean) {
    this.#isStunOnly = isStunOnly;
    this.#contexts = new Contexts(this.#ssl, materials, { transport: "dtls" });
    this.#listening = this.#ssl.newSession("dtls", this.#contexts.first);
  }

  /** Why further certificates are not served. */
  get faults(): readonly string[] {
    return this.#contexts.faults;
  }

  /** New handshakes use `materials` from here on; open sessions stay. @throws OpenSSL's error for the first. */
  renew(materials: Materials): void {
    this.#contexts.renew(materials);
    this.#ssl.free(this.#listening);
    this.#listening = this.#ssl.newSession("dtls", this.#contexts.first);
  }

  /**
   * Handles a datagram of `client` (its address and port as text), for which no state is kept. With the cookie that it was
   * sent, a session begins, and handles the datagram.
   */
  greet(datagram: Buffer, client: string, owner: SessionOwner): DtlsSession | undefined {
    const ssl = this.#ssl;
    const listening = this.#listening;
    const scratch = scratchOf(ssl);
    ssl.push(listening, datagram);
    const expected = createHmac("sha256", this.#secret).update(client).digest().subarray(0, COOKIE_BYTES);
    const isProven = ssl.listen(
      listening,
      expected,
      (cookie) => cookie.length === COOKIE_BYTES && timingSafeEqual(cookie, expected),
    );
    for (;;) {
      const count = ssl.pull(listening, scratch);
      if (count === 0) break;
      owner.send(Buffer.from(scratch.bytes.subarray(0, count)));
    }
    if (!isProven) {
      // Anything but a ClientHello would block the next one.
      ssl.discard(listening, scratch);
      return undefined;
    }
    this.#listening = ssl.newSession("dtls", this.#contexts.first);
    // Before OpenSSL reads the ClientHello again, and answers it.
    ssl.useContext(listening, this.#contexts.for(serverNameIn(datagram)), this.#isStunOnly());
    return new DtlsSession(ssl, listening, owner);
  }

  close(): void {
    this.#ssl.free(this.#listening);
    this.#contexts.close();
  }
}
