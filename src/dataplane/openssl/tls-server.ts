/** TLS sessions over byte streams that somebody else reads and writes (RFC 8446, RFC 5246). */
import type { ClientHello } from "../listeners/client-hello.ts";
import type { Materials } from "../listeners/listener.ts";
import { Contexts } from "./contexts.ts";
import { loadOpenSsl, type Memory, type OpenSsl, type Session } from "./openssl.ts";

/** Longer than what a session reads, or has to send, in one call. */
const SCRATCH_BYTES = 1 << 17;

interface Scratch {
  readonly plain: Memory;
  readonly sealed: Memory;
}

let scratch: Scratch | undefined;

export class TlsSession {
  readonly #ssl: OpenSsl;
  readonly #session: Session;
  /** In use only during one call. */
  readonly #scratch: Scratch;
  #isFreed = false;

  constructor(ssl: OpenSsl, session: Session) {
    this.#ssl = ssl;
    this.#session = session;
    this.#scratch = scratch ??= { plain: ssl.memory(SCRATCH_BYTES), sealed: ssl.memory(SCRATCH_BYTES) };
  }

  /** Takes bytes that the client has sent. */
  push(bytes: Buffer): void {
    if (!this.#isFreed) this.#ssl.push(this.#session, bytes);
  }

  /** Continues the handshake: {@link toSend} has the answer. */
  shake(): "done" | "goes-on" | "failed" {
    return this.#isFreed ? "failed" : this.#ssl.shake(this.#session);
  }

  /**
   * The content of the next record, valid until the next call for any session. Undefined: there is none yet. "ended": the
   * session has ended.
   */
  read(): Buffer | undefined | "ended" {
    if (this.#isFreed) return "ended";
    const { plain } = this.#scratch;
    const count = this.#ssl.read(this.#session, plain);
    if (count < 0) return "ended";
    return count === 0 ? undefined : plain.bytes.subarray(0, count);
  }

  /** Whether there is more to read than what was read. */
  get hasMore(): boolean {
    return !this.#isFreed && this.#ssl.pushed(this.#session) > 0;
  }

  /** Encrypts `bytes`: {@link toSend} has them. False if the session has ended. */
  write(bytes: Buffer): boolean {
    return !this.#isFreed && this.#ssl.write(this.#session, bytes);
  }

  /** What the client is to be sent, valid until the next call for any session; undefined if there is nothing. */
  toSend(): Buffer | undefined {
    if (this.#isFreed) return undefined;
    const { sealed } = this.#scratch;
    const count = this.#ssl.pull(this.#session, sealed);
    return count === 0 ? undefined : sealed.bytes.subarray(0, count);
  }

  /** Says goodbye: {@link toSend} has it. */
  shutdown(): void {
    if (!this.#isFreed) this.#ssl.shutdown(this.#session);
  }

  /** Releases its memory. */
  free(): void {
    if (this.#isFreed) return;
    this.#isFreed = true;
    this.#ssl.free(this.#session);
  }
}

export class TlsServer {
  readonly #ssl = loadOpenSsl();
  readonly #contexts: Contexts;

  /** @throws if there is no OpenSSL to call; OpenSSL's error for the first of `materials`. */
  constructor(materials: Materials, ticketKeys: Uint8Array | undefined) {
    this.#contexts = new Contexts(this.#ssl, materials, { transport: "tls", ticketKeys });
  }

  get faults(): readonly string[] {
    return this.#contexts.faults;
  }

  renew(materials: Materials): void {
    this.#contexts.renew(materials);
  }

  /** A session for the client that has sent `hello`, which the session reads again. */
  begin({ serverName }: ClientHello, isStunOnly: boolean): TlsSession {
    const context = this.#contexts.for(serverName);
    const session = this.#ssl.newSession("tls", context);
    this.#ssl.useContext(session, context, isStunOnly);
    return new TlsSession(this.#ssl, session);
  }

  /** Sessions that are open keep what they need. */
  close(): void {
    this.#contexts.close();
  }
}
