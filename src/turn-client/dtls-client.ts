/** The client side of DTLS, in memory, with the OpenSSL that is inside Node: Node has no DTLS API. */
import { createRequire } from "node:module";
import { isIP } from "node:net";
import { getCACertificates } from "node:tls";

const MAX_DATAGRAM_BYTES = 65_535;
const CTRL_SET_MTU = 17;
const CTRL_SET_HOSTNAME = 55;
const DTLS_CTRL_HANDLE_TIMEOUT = 74;
const NAME_TYPE_HOST = 0;
const OP_NO_QUERY_MTU = 1n << 12n;
const VERIFY_PEER = 1;
const ERROR_WANT_READ = 2;
const MTU = 1200;

const load = () => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
  const lib = koffi.load(null);
  const f = (declaration: string) => lib.func(declaration);
  return {
    method: f("void *DTLS_client_method()"),
    newContext: f("void *SSL_CTX_new(void *method)"),
    freeContext: f("void SSL_CTX_free(void *context)"),
    ciphers: f("int SSL_CTX_set_cipher_list(void *context, const char *list)"),
    options: f("uint64_t SSL_CTX_set_options(void *context, uint64_t options)"),
    store: f("void *SSL_CTX_get_cert_store(void *context)"),
    addAuthority: f("int X509_STORE_add_cert(void *store, void *certificate)"),
    memory: f("void *BIO_new_mem_buf(const void *bytes, int length)"),
    freeBio: f("int BIO_free(void *bio)"),
    readCertificate: f("void *PEM_read_bio_X509(void *bio, void *into, void *callback, void *user)"),
    freeCertificate: f("void X509_free(void *certificate)"),
    newSession: f("void *SSL_new(void *context)"),
    free: f("void SSL_free(void *ssl)"),
    control: f("long SSL_ctrl(void *ssl, int command, long number, void *argument)"),
    controlText: f("long SSL_ctrl(void *ssl, int command, long number, const char *argument)"),
    verify: f("void SSL_set_verify(void *ssl, int mode, void *callback)"),
    expectHost: f("int SSL_set1_host(void *ssl, const char *name)"),
    parameters: f("void *SSL_get0_param(void *ssl)"),
    expectAddress: f("int X509_VERIFY_PARAM_set1_ip_asc(void *parameters, const char *address)"),
    verified: f("long SSL_get_verify_result(void *ssl)"),
    complaint: f("const char *X509_verify_cert_error_string(long result)"),
    datagramMemory: f("void *BIO_s_dgram_mem()"),
    newBio: f("void *BIO_new(void *method)"),
    setBio: f("void SSL_set_bio(void *ssl, void *input, void *output)"),
    connectState: f("void SSL_set_connect_state(void *ssl)"),
    bioWrite: f("int BIO_write(void *bio, const void *bytes, int length)"),
    bioRead: f("int BIO_read(void *bio, void *bytes, int length)"),
    read: f("int SSL_read(void *ssl, void *bytes, int length)"),
    write: f("int SSL_write(void *ssl, const void *bytes, int length)"),
    error: f("int SSL_get_error(void *ssl, int result)"),
    shutdown: f("int SSL_shutdown(void *ssl)"),
    isFinished: f("int SSL_is_init_finished(void *ssl)"),
    clearErrors: f("void ERR_clear_error()"),
  };
};

type OpenSsl = ReturnType<typeof load>;
let loaded: OpenSsl | undefined;

export interface DtlsClientOptions {
  /** OpenSSL's names; the server selects one. */
  readonly ciphers?: string;
  /**
   * The name or address that the certificate must have, signed by a trusted authority; without it, any certificate is
   * accepted.
   */
  readonly verify?: {
    readonly name: string;
    /** PEM; Node's trusted authorities by default. */
    readonly ca?: string;
  };
}

const trust = (ssl: OpenSsl, context: unknown, authorities: readonly string[]): void => {
  const store: unknown = ssl.store(context);
  const pem = Buffer.from(authorities.join("\n"));
  const bio: unknown = ssl.memory(pem, pem.length);
  for (;;) {
    const certificate: unknown = ssl.readCertificate(bio, null, null, null);
    if (certificate === null) break;
    ssl.addAuthority(store, certificate);
    // The store keeps its own reference.
    ssl.freeCertificate(certificate);
  }
  ssl.freeBio(bio);
  ssl.clearErrors();
};

export class DtlsClient {
  readonly #ssl = (loaded ??= load());
  readonly #context: unknown;
  readonly #session: unknown;
  readonly #input: unknown;
  readonly #output: unknown;
  readonly #scratch = Buffer.alloc(MAX_DATAGRAM_BYTES);
  #isClosed = false;
  /** The session has ended, or was never established. */
  hasFailed = false;

  constructor({ ciphers, verify }: DtlsClientOptions = {}) {
    const ssl = this.#ssl;
    this.#context = ssl.newContext(ssl.method());
    if (ciphers !== undefined && ssl.ciphers(this.#context, ciphers) !== 1) throw new Error(`no ciphers: ${ciphers}`);
    ssl.options(this.#context, OP_NO_QUERY_MTU);
    if (verify !== undefined)
      trust(ssl, this.#context, verify.ca === undefined ? getCACertificates("default") : [verify.ca]);
    this.#session = ssl.newSession(this.#context);
    this.#input = ssl.newBio(ssl.datagramMemory());
    this.#output = ssl.newBio(ssl.datagramMemory());
    ssl.setBio(this.#session, this.#input, this.#output);
    ssl.control(this.#session, CTRL_SET_MTU, MTU, null);
    if (verify !== undefined) {
      ssl.verify(this.#session, VERIFY_PEER, null);
      if (isIP(verify.name) !== 0) ssl.expectAddress(ssl.parameters(this.#session), verify.name);
      else {
        ssl.expectHost(this.#session, verify.name);
        ssl.controlText(this.#session, CTRL_SET_HOSTNAME, NAME_TYPE_HOST, verify.name);
      }
    }
    ssl.connectState(this.#session);
  }

  get isEstablished(): boolean {
    return !this.#isClosed && this.#ssl.isFinished(this.#session) === 1;
  }

  /** Why the certificate was rejected; undefined if it was not. */
  get complaint(): string | undefined {
    const result: unknown = this.#ssl.verified(this.#session);
    return Number(result) === 0 ? undefined : String(this.#ssl.complaint(result));
  }

  /** Handles a datagram of the server, or none to begin with; returns the datagrams to send. */
  advance(datagram?: Buffer, record: (bytes: Buffer) => void = () => undefined): readonly Buffer[] {
    if (this.#isClosed) return [];
    if (datagram !== undefined) this.#ssl.bioWrite(this.#input, datagram, datagram.length);
    for (;;) {
      this.#ssl.clearErrors();
      const count = this.#ssl.read(this.#session, this.#scratch, this.#scratch.length) as number;
      if (count > 0) record(Buffer.from(this.#scratch.subarray(0, count)));
      else {
        this.hasFailed = this.#ssl.error(this.#session, count) !== ERROR_WANT_READ;
        return this.#pull();
      }
      if (this.#isClosed) return [];
    }
  }

  /** Retransmits what was not answered in time. */
  retransmit(): readonly Buffer[] {
    if (this.#isClosed) return [];
    if ((this.#ssl.control(this.#session, DTLS_CTRL_HANDLE_TIMEOUT, 0, null) as number) < 0) this.hasFailed = true;
    return this.#pull();
  }

  /** `bytes` as a record. */
  seal(bytes: Buffer): Buffer {
    this.#ssl.clearErrors();
    this.#ssl.write(this.#session, bytes, bytes.length);
    return Buffer.concat(this.#pull());
  }

  /** Releases everything; returns the close alert. */
  close(): readonly Buffer[] {
    if (this.#isClosed) return [];
    this.#ssl.clearErrors();
    this.#ssl.shutdown(this.#session);
    const goodbye = this.#pull();
    this.#isClosed = true;
    this.#ssl.free(this.#session);
    this.#ssl.freeContext(this.#context);
    return goodbye;
  }

  #pull(): readonly Buffer[] {
    const datagrams: Buffer[] = [];
    for (;;) {
      const count = this.#ssl.bioRead(this.#output, this.#scratch, this.#scratch.length) as number;
      if (count <= 0) return datagrams;
      datagrams.push(Buffer.from(this.#scratch.subarray(0, count)));
    }
  }
}
