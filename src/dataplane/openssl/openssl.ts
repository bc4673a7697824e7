/**
 * The OpenSSL that is inside Node, called directly: Node has no DTLS API, and its TLS sockets cost more than the relaying.
 * Pointers are numbers, as in `sys.ts`.
 */
import { hkdfSync } from "node:crypto";
import { createRequire } from "node:module";
import { DEFAULT_CIPHERS } from "node:tls";
import { turnProtocolOf } from "../listeners/protocols.ts";
import { bindMaterial } from "./material.ts";

declare const pointer: unique symbol;
/** An OpenSSL object. */
export type Handle = number & { readonly [pointer]: true };

/** Bytes that the process does not move. */
export interface Memory {
  readonly bytes: Buffer;
  readonly at: number;
}

export interface OpenSsl {
  readonly memory: (bytes: number) => Memory;
  /** `ticketKeys`, for TLS: servers with the same ones resume each other's sessions. */
  readonly newContext: (transport: "tls" | "dtls", ticketKeys?: Uint8Array) => Handle;
  readonly freeContext: (context: Handle) => void;
  /** @throws OpenSSL's error for a certificate chain and a key in PEM. */
  readonly useMaterial: (context: Handle, certificate: Buffer, key: Buffer) => void;
  /** A server session, with memory on both sides: of bytes for TLS, of datagrams for DTLS. */
  readonly newSession: (transport: "tls" | "dtls", context: Handle) => Session;
  /**
   * The session uses the certificate of another context, and agrees on a TURN protocol that the client offers (RFC 7443):
   * only before its handshake.
   */
  readonly useContext: (session: Session, context: Handle, isStunOnly: boolean) => void;
  /**
   * Handles a datagram of an unauthenticated source: true if it has a cookie that `isCookie` accepts; otherwise there may
   * be an answer to read.
   */
  readonly listen: (session: Session, cookie: Buffer, isCookie: (cookie: Buffer) => boolean) => boolean;
  /** Drops datagrams that were passed in and not read. */
  readonly discard: (session: Session, scratch: Memory) => void;
  readonly free: (session: Session) => void;
  /** Continues the handshake of a TLS session. */
  readonly shake: (session: Session) => "done" | "goes-on" | "failed";
  /** Passes in a datagram, or bytes of a stream, that arrived. */
  readonly push: (session: Session, bytes: Buffer) => void;
  /** Bytes that were passed in and not read. */
  readonly pushed: (session: Session) => number;
  /** Writes the next datagram, or bytes, to send into `into`; returns how many bytes, 0 if there are none. */
  readonly pull: (session: Session, into: Memory) => number;
  /**
   * Writes the content of a record into `into`; returns its length, 0 if there is none yet, -1 if the session has ended.
   */
  readonly read: (session: Session, into: Memory) => number;
  /** False if nothing can be sent. */
  readonly write: (session: Session, bytes: Buffer) => boolean;
  readonly shutdown: (session: Session) => void;
  /** Retransmits what was not answered in time; false if the other side does not respond. */
  readonly retransmit: (session: Session) => boolean;
  readonly isEstablished: (session: Session) => boolean;
  /** Minimum length in bytes of a record of the session, without its header. */
  readonly shortestRecord: (session: Session) => number;
}

export interface Session {
  readonly ssl: Handle;
  readonly input: Handle;
  readonly output: Handle;
}

const CTRL_SET_MTU = 17;
const CTRL_MODE = 33;
const MODE_RELEASE_BUFFERS = 0x10;
const CTRL_SET_MIN_PROTO_VERSION = 123;
const CTRL_SET_SESSION_CACHE_MODE = 44;
const CTRL_SET_TICKET_KEYS = 59;
const TICKET_KEY_BYTES = 80;
const TLS_1_2 = 0x0303;
const DTLS_1_2 = 0xfefd;
const DTLS_CTRL_HANDLE_TIMEOUT = 74;
const OP_NO_QUERY_MTU = 1n << 12n;
const OP_COOKIE_EXCHANGE = 1n << 13n;
const OP_NO_RENEGOTIATION = 1n << 30n;
const OP_CIPHER_SERVER_PREFERENCE = 1n << 22n;
/** What `SSL_want` returns. */
const WANTS_TO_READ = 3;
const [PROTOCOL_AGREED, PROTOCOL_IGNORED] = [0, 3];
const STUN_ONLY = 1;
/** Handshake messages are fragmented so that they fit every network. */
const MTU = 1200;

/**
 * Ciphers with authenticated encryption: with others OpenSSL ends a session on any forged record. WebRTC has used no others
 * for years (RFC 8827 §6.5).
 */
const CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20";
/** Bytes of the nonce in a record (none with ChaCha20), and of its tag: RFC 5288 §3, RFC 7905 §2. */
const GCM_BYTES = 8 + 16;
const CHACHA20_BYTES = 16;

let loaded: OpenSsl | undefined;

/** @throws if Node was built without OpenSSL's DTLS, or calls cannot be made. */
export const loadOpenSsl = (): OpenSsl => {
  loaded ??= load();
  return loaded;
};

/** Whether {@link loadOpenSsl} succeeds. */
export const hasOpenSsl = (): boolean => {
  try {
    loadOpenSsl();
    return true;
  } catch {
    return false;
  }
};

const load = (): OpenSsl => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
  const lib = koffi.load(null);
  const f = (declaration: string) => lib.func(declaration);
  const dtlsMethod = f("int64_t DTLS_server_method()");
  const tlsMethod = f("int64_t TLS_server_method()");
  const ctxNew = f("int64_t SSL_CTX_new(int64_t method)");
  const ctxFree = f("void SSL_CTX_free(int64_t context)");
  const ctxCtrl = f("long SSL_CTX_ctrl(int64_t context, int command, long number, void *argument)");
  const ctxOptions = f("uint64_t SSL_CTX_set_options(int64_t context, uint64_t options)");
  const cipherList = f("int SSL_CTX_set_cipher_list(int64_t context, const char *list)");
  const currentCipher = f("int64_t SSL_get_current_cipher(int64_t ssl)");
  const cipherName = f("const char *SSL_CIPHER_get_name(int64_t cipher)");
  const onGenerate = f("void SSL_CTX_set_cookie_generate_cb(int64_t context, void *callback)");
  const onVerify = f("void SSL_CTX_set_cookie_verify_cb(int64_t context, void *callback)");
  const bioNew = f("int64_t BIO_new(int64_t method)");
  const datagramMemory = f("int64_t BIO_s_dgram_mem()");
  const byteMemory = f("int64_t BIO_s_mem()");
  const bioWrite = f("int BIO_write(int64_t bio, const void *bytes, int length)");
  const bioRead = f("int BIO_read(int64_t bio, int64_t bytes, int length)");
  const bioPending = f("size_t BIO_ctrl_pending(int64_t bio)");
  const addressNew = f("int64_t BIO_ADDR_new()");
  const sslNew = f("int64_t SSL_new(int64_t context)");
  const sslFree = f("void SSL_free(int64_t ssl)");
  const setBio = f("void SSL_set_bio(int64_t ssl, int64_t input, int64_t output)");
  const setContext = f("int64_t SSL_set_SSL_CTX(int64_t ssl, int64_t context)");
  const onProtocols = f("void SSL_CTX_set_alpn_select_cb(int64_t context, void *callback, uintptr_t argument)");
  const acceptState = f("void SSL_set_accept_state(int64_t ssl)");
  const sslCtrl = f("long SSL_ctrl(int64_t ssl, int command, long number, void *argument)");
  const dtlsListen = f("int DTLSv1_listen(int64_t ssl, int64_t address)");
  const sslHandshake = f("int SSL_do_handshake(int64_t ssl)");
  const sslRead = f("int SSL_read(int64_t ssl, int64_t bytes, int length)");
  const sslWrite = f("int SSL_write(int64_t ssl, const void *bytes, int length)");
  const sslShutdown = f("int SSL_shutdown(int64_t ssl)");
  const sslWant = f("int SSL_want(int64_t ssl)");
  const isFinished = f("int SSL_is_init_finished(int64_t ssl)");
  const clearErrors = f("void ERR_clear_error()");
  const nextError = f("ulong ERR_get_error()");
  const errorText = f("void ERR_error_string_n(ulong error, void *text, size_t length)");
  // Returns its first argument: the address of memory.
  const addressOf = f("int64_t memmove(void *to, const void *from, size_t count)");

  const complaint = (): string => {
    const text = Buffer.alloc(256);
    errorText(nextError(), text, text.length);
    return text.toString("utf8", 0, text.indexOf(0));
  };
  // OpenSSL asks for cookies only inside `DTLSv1_listen`: these variables hold the values for that call.
  let offered: Buffer = Buffer.alloc(0);
  let agrees: (cookie: Buffer) => boolean = () => false;
  const generate = koffi.register(
    (_ssl: unknown, cookie: unknown, length: unknown) => {
      koffi.encode(cookie, koffi.array("uint8_t", offered.length), [...offered]);
      koffi.encode(length, "uint", offered.length);
      return 1;
    },
    koffi.pointer(koffi.proto("int TurnpikeCookieGenerate(void *ssl, void *cookie, void *length)")),
  );
  const verify = koffi.register(
    (_ssl: unknown, cookie: unknown, length: number) => {
      const bytes = koffi.decode(cookie, koffi.array("uint8_t", length)) as readonly number[];
      return agrees(Buffer.from(bytes)) ? 1 : 0;
    },
    koffi.pointer(koffi.proto("int TurnpikeCookieVerify(void *ssl, void *cookie, uint length)")),
  );
  // OpenSSL has checked the list; what is agreed on is a part of it.
  const agree = koffi.register(
    (_ssl: unknown, agreed: unknown, length: unknown, list: unknown, bytes: number, argument: number) => {
      const offered = Buffer.from(koffi.decode(list, koffi.array("uint8_t", bytes)) as readonly number[]);
      const names = new Map<string, number>();
      for (let at = 0; at < bytes; at += 1 + (offered[at] ?? 0))
        names.set(offered.toString("latin1", at + 1, at + 1 + (offered[at] ?? 0)), at + 1);
      const protocol = turnProtocolOf([...names.keys()], argument === STUN_ONLY);
      if (protocol === undefined) return PROTOCOL_IGNORED;
      koffi.encode(agreed, "uint64_t", koffi.address(list) + BigInt(names.get(protocol) ?? 0));
      koffi.encode(length, "uint8_t", protocol.length);
      return PROTOCOL_AGREED;
    },
    koffi.pointer(
      koffi.proto(
        "int TurnpikeAgree(void *ssl, void *agreed, void *length, void *list, uint bytes, uintptr_t argument)",
      ),
    ),
  );
  const anyAddress = addressNew() as number;

  return {
    memory(length) {
      const bytes = Buffer.alloc(length);
      return { bytes, at: Number(addressOf(bytes, bytes, 0)) };
    },
    newContext(transport, ticketKeys) {
      const context = ctxNew(transport === "tls" ? tlsMethod() : dtlsMethod()) as Handle;
      ctxCtrl(context, CTRL_MODE, MODE_RELEASE_BUFFERS, null);
      // Sessions are resumed by tickets.
      ctxCtrl(context, CTRL_SET_SESSION_CACHE_MODE, 0, null);
      const isTls = transport === "tls";
      ctxCtrl(context, CTRL_SET_MIN_PROTO_VERSION, isTls ? TLS_1_2 : DTLS_1_2, null);
      ctxOptions(
        context,
        OP_NO_RENEGOTIATION | (isTls ? OP_CIPHER_SERVER_PREFERENCE : OP_NO_QUERY_MTU | OP_COOKIE_EXCHANGE),
      );
      if (cipherList(context, isTls ? DEFAULT_CIPHERS : CIPHERS) !== 1)
        throw new Error(`the ciphers cannot be used: ${complaint()}`);
      if (ticketKeys !== undefined) {
        const keys = Buffer.from(hkdfSync("sha256", ticketKeys, "", "TLS session tickets", TICKET_KEY_BYTES));
        ctxCtrl(context, CTRL_SET_TICKET_KEYS, keys.length, keys);
      }
      onGenerate(context, generate);
      onVerify(context, verify);
      return context;
    },
    freeContext: (context) => ctxFree(context),
    useMaterial: bindMaterial(f, complaint),
    newSession(transport, context) {
      const ssl = sslNew(context) as Handle;
      const method = (): number => (transport === "tls" ? byteMemory() : datagramMemory()) as number;
      const input = bioNew(method()) as Handle;
      const output = bioNew(method()) as Handle;
      // The session owns them from here on, and frees them.
      setBio(ssl, input, output);
      if (transport === "dtls") sslCtrl(ssl, CTRL_SET_MTU, MTU, null);
      acceptState(ssl);
      return { ssl, input, output };
    },
    useContext({ ssl }, context, isStunOnly) {
      onProtocols(context, agree, isStunOnly ? STUN_ONLY : 0);
      setContext(ssl, context);
    },
    listen({ ssl }, cookie, isCookie) {
      offered = cookie;
      agrees = isCookie;
      clearErrors();
      return dtlsListen(ssl, anyAddress) === 1;
    },
    discard({ input }, { at, bytes }) {
      while ((bioRead(input, at, bytes.length) as number) > 0);
    },
    free: ({ ssl }) => sslFree(ssl),
    shake({ ssl }) {
      if (sslHandshake(ssl) === 1) return "done";
      const outcome = sslWant(ssl) === WANTS_TO_READ ? "goes-on" : "failed";
      clearErrors();
      return outcome;
    },
    push: ({ input }, bytes) => void bioWrite(input, bytes, bytes.length),
    pushed: ({ input }) => bioPending(input) as number,
    pull: ({ output }, { at, bytes }) => Math.max(0, bioRead(output, at, bytes.length) as number),
    read({ ssl }, { at, bytes }) {
      const count = sslRead(ssl, at, bytes.length) as number;
      if (count > 0) return count;
      // Unlike `SSL_get_error`, it does not look at errors that were left by others.
      const outcome = sslWant(ssl) === WANTS_TO_READ ? 0 : -1;
      clearErrors();
      return outcome;
    },
    write({ ssl }, bytes) {
      if (sslWrite(ssl, bytes, bytes.length) === bytes.length) return true;
      clearErrors();
      return false;
    },
    shutdown({ ssl }) {
      sslShutdown(ssl);
      clearErrors();
    },
    retransmit: ({ ssl }) => sslCtrl(ssl, DTLS_CTRL_HANDLE_TIMEOUT, 0, null) >= 0,
    isEstablished: ({ ssl }) => isFinished(ssl) === 1,
    shortestRecord: ({ ssl }) =>
      String(cipherName(currentCipher(ssl))).includes("CHACHA20") ? CHACHA20_BYTES : GCM_BYTES,
  };
};
