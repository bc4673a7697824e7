/** The OpenSSL that is inside Node, called directly: Node has no DTLS API. */
import { createRequire } from "node:module";
import { turnProtocolOf } from "../listeners/protocols.ts";

declare const pointer: unique symbol;
/** An OpenSSL object. */
export type Handle = { readonly [pointer]: true };

export interface OpenSsl {
  readonly newContext: () => Handle;
  readonly freeContext: (context: Handle) => void;
  /** @throws OpenSSL's error for a certificate chain and a key in PEM. */
  readonly useMaterial: (context: Handle, certificate: Buffer, key: Buffer) => void;
  /** A server session, with datagram memory on both sides. */
  readonly newSession: (context: Handle) => Session;
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
  readonly discard: (session: Session, scratch: Buffer) => void;
  readonly free: (session: Session) => void;
  /** Passes in a datagram that arrived. */
  readonly push: (session: Session, datagram: Buffer) => void;
  /** Writes the next datagram to send into `into`; returns its length, 0 if there is none. */
  readonly pull: (session: Session, into: Buffer) => number;
  /**
   * Writes the content of a record into `into`; returns its length, 0 if there is none yet, -1 if the session has ended.
   */
  readonly read: (session: Session, into: Buffer) => number;
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
const CTRL_EXTRA_CHAIN_CERT = 14;
const CTRL_MODE = 33;
const MODE_RELEASE_BUFFERS = 0x10;
const CTRL_SET_MIN_PROTO_VERSION = 123;
const DTLS_1_2 = 0xfefd;
const DTLS_CTRL_HANDLE_TIMEOUT = 74;
const OP_NO_QUERY_MTU = 1n << 12n;
const OP_COOKIE_EXCHANGE = 1n << 13n;
const OP_NO_RENEGOTIATION = 1n << 30n;
const ERROR_WANT_READ = 2;
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

const load = (): OpenSsl => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
  const lib = koffi.load(null);
  const f = (declaration: string) => lib.func(declaration);
  const serverMethod = f("void *DTLS_server_method()");
  const ctxNew = f("void *SSL_CTX_new(void *method)");
  const ctxFree = f("void SSL_CTX_free(void *context)");
  const ctxCtrl = f("long SSL_CTX_ctrl(void *context, int command, long number, void *argument)");
  const ctxOptions = f("uint64_t SSL_CTX_set_options(void *context, uint64_t options)");
  const cipherList = f("int SSL_CTX_set_cipher_list(void *context, const char *list)");
  const currentCipher = f("void *SSL_get_current_cipher(void *ssl)");
  const cipherName = f("const char *SSL_CIPHER_get_name(void *cipher)");
  const useCertificate = f("int SSL_CTX_use_certificate(void *context, void *certificate)");
  const useKey = f("int SSL_CTX_use_PrivateKey(void *context, void *key)");
  const checkKey = f("int SSL_CTX_check_private_key(void *context)");
  const onGenerate = f("void SSL_CTX_set_cookie_generate_cb(void *context, void *callback)");
  const onVerify = f("void SSL_CTX_set_cookie_verify_cb(void *context, void *callback)");
  const memory = f("void *BIO_new_mem_buf(const void *bytes, int length)");
  const bioNew = f("void *BIO_new(void *method)");
  const bioFree = f("int BIO_free(void *bio)");
  const datagramMemory = f("void *BIO_s_dgram_mem()");
  const bioWrite = f("int BIO_write(void *bio, const void *bytes, int length)");
  const bioRead = f("int BIO_read(void *bio, void *bytes, int length)");
  const addressNew = f("void *BIO_ADDR_new()");
  const readCertificate = f("void *PEM_read_bio_X509(void *bio, void *into, void *callback, void *user)");
  const readKey = f("void *PEM_read_bio_PrivateKey(void *bio, void *into, void *callback, void *user)");
  const certificateFree = f("void X509_free(void *certificate)");
  const keyFree = f("void EVP_PKEY_free(void *key)");
  const sslNew = f("void *SSL_new(void *context)");
  const sslFree = f("void SSL_free(void *ssl)");
  const setBio = f("void SSL_set_bio(void *ssl, void *input, void *output)");
  const setContext = f("void *SSL_set_SSL_CTX(void *ssl, void *context)");
  const onProtocols = f("void SSL_CTX_set_alpn_select_cb(void *context, void *callback, uintptr_t argument)");
  const acceptState = f("void SSL_set_accept_state(void *ssl)");
  const sslCtrl = f("long SSL_ctrl(void *ssl, int command, long number, void *argument)");
  const dtlsListen = f("int DTLSv1_listen(void *ssl, void *address)");
  const sslRead = f("int SSL_read(void *ssl, void *bytes, int length)");
  const sslWrite = f("int SSL_write(void *ssl, const void *bytes, int length)");
  const sslShutdown = f("int SSL_shutdown(void *ssl)");
  const getError = f("int SSL_get_error(void *ssl, int result)");
  const isFinished = f("int SSL_is_init_finished(void *ssl)");
  const clearErrors = f("void ERR_clear_error()");
  const nextError = f("ulong ERR_get_error()");
  const errorText = f("void ERR_error_string_n(ulong error, void *text, size_t length)");

  const complaint = (): string => {
    const text = Buffer.alloc(256);
    errorText(nextError(), text, text.length);
    return text.toString("utf8", 0, text.indexOf(0));
  };
  const withMemory = <T>(bytes: Buffer, use: (bio: Handle) => T): T => {
    const bio = memory(bytes, bytes.length) as Handle;
    try {
      return use(bio);
    } finally {
      bioFree(bio);
    }
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
  const anyAddress = addressNew() as Handle;

  return {
    newContext() {
      const context = ctxNew(serverMethod()) as Handle;
      ctxCtrl(context, CTRL_SET_MIN_PROTO_VERSION, DTLS_1_2, null);
      ctxCtrl(context, CTRL_MODE, MODE_RELEASE_BUFFERS, null);
      ctxOptions(context, OP_NO_QUERY_MTU | OP_COOKIE_EXCHANGE | OP_NO_RENEGOTIATION);
      if (cipherList(context, CIPHERS) !== 1) throw new Error(`the ciphers cannot be used: ${complaint()}`);
      onGenerate(context, generate);
      onVerify(context, verify);
      return context;
    },
    freeContext: (context) => ctxFree(context),
    useMaterial(context, certificate, key) {
      clearErrors();
      withMemory(certificate, (bio) => {
        const leaf = readCertificate(bio, null, null, null) as Handle | null;
        if (leaf === null) throw new Error(`the certificate cannot be read: ${complaint()}`);
        const isTaken = useCertificate(context, leaf) === 1;
        certificateFree(leaf);
        if (!isTaken) throw new Error(`the certificate cannot be used: ${complaint()}`);
        for (;;) {
          const issuer = readCertificate(bio, null, null, null) as Handle | null;
          if (issuer === null) break;
          // The context owns it from here on.
          ctxCtrl(context, CTRL_EXTRA_CHAIN_CERT, 0, issuer);
        }
        clearErrors();
      });
      withMemory(key, (bio) => {
        const secret = readKey(bio, null, null, null) as Handle | null;
        if (secret === null) throw new Error(`the key cannot be read: ${complaint()}`);
        const isTaken = useKey(context, secret) === 1;
        keyFree(secret);
        if (!isTaken || checkKey(context) !== 1)
          throw new Error(`the key is not that of the certificate: ${complaint()}`);
      });
    },
    newSession(context) {
      const ssl = sslNew(context) as Handle;
      const input = bioNew(datagramMemory()) as Handle;
      const output = bioNew(datagramMemory()) as Handle;
      // The session owns them from here on, and frees them.
      setBio(ssl, input, output);
      sslCtrl(ssl, CTRL_SET_MTU, MTU, null);
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
    discard({ input }, into) {
      while ((bioRead(input, into, into.length) as number) > 0);
    },
    free: ({ ssl }) => sslFree(ssl),
    push: ({ input }, datagram) => void bioWrite(input, datagram, datagram.length),
    pull: ({ output }, into) => Math.max(0, bioRead(output, into, into.length) as number),
    read({ ssl }, into) {
      clearErrors();
      const count = sslRead(ssl, into, into.length) as number;
      if (count > 0) return count;
      const error = getError(ssl, count) as number;
      return error === ERROR_WANT_READ ? 0 : -1;
    },
    write({ ssl }, bytes) {
      clearErrors();
      return sslWrite(ssl, bytes, bytes.length) === bytes.length;
    },
    shutdown({ ssl }) {
      clearErrors();
      sslShutdown(ssl);
    },
    retransmit: ({ ssl }) => sslCtrl(ssl, DTLS_CTRL_HANDLE_TIMEOUT, 0, null) >= 0,
    isEstablished: ({ ssl }) => isFinished(ssl) === 1,
    shortestRecord: ({ ssl }) =>
      String(cipherName(currentCipher(ssl))).includes("CHACHA20") ? CHACHA20_BYTES : GCM_BYTES,
  };
};
