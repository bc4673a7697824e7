/** The client's side of DTLS, in memory, by the OpenSSL that is inside Node. For tests alone. */
import koffi from "koffi";

const MAX_DATAGRAM_BYTES = 65_535;
const CTRL_SET_MTU = 17;
const OP_NO_QUERY_MTU = 1n << 12n;
const MTU = 1200;

const load = () => {
  const lib = koffi.load(null);
  const f = (declaration: string) => lib.func(declaration);
  return {
    method: f("void *DTLS_client_method()"),
    newContext: f("void *SSL_CTX_new(void *method)"),
    freeContext: f("void SSL_CTX_free(void *context)"),
    ciphers: f("int SSL_CTX_set_cipher_list(void *context, const char *list)"),
    options: f("uint64_t SSL_CTX_set_options(void *context, uint64_t options)"),
    newSession: f("void *SSL_new(void *context)"),
    free: f("void SSL_free(void *ssl)"),
    control: f("long SSL_ctrl(void *ssl, int command, long number, void *argument)"),
    datagramMemory: f("void *BIO_s_dgram_mem()"),
    newBio: f("void *BIO_new(void *method)"),
    setBio: f("void SSL_set_bio(void *ssl, void *input, void *output)"),
    connectState: f("void SSL_set_connect_state(void *ssl)"),
    bioWrite: f("int BIO_write(void *bio, const void *bytes, int length)"),
    bioRead: f("int BIO_read(void *bio, void *bytes, int length)"),
    read: f("int SSL_read(void *ssl, void *bytes, int length)"),
    write: f("int SSL_write(void *ssl, const void *bytes, int length)"),
    isFinished: f("int SSL_is_init_finished(void *ssl)"),
    clearErrors: f("void ERR_clear_error()"),
  };
};

/** It looks at no certificate. */
export class DtlsClient {
  readonly #ssl = load();
  readonly #context: unknown;
  readonly #session: unknown;
  readonly #input: unknown;
  readonly #output: unknown;
  readonly #scratch = Buffer.alloc(MAX_DATAGRAM_BYTES);

  /** `ciphers` as OpenSSL names them, of which the server takes one. */
  constructor(ciphers?: string) {
    const ssl = this.#ssl;
    this.#context = ssl.newContext(ssl.method());
    if (ciphers !== undefined && ssl.ciphers(this.#context, ciphers) !== 1) throw new Error(`no ciphers: ${ciphers}`);
    ssl.options(this.#context, OP_NO_QUERY_MTU);
    this.#session = ssl.newSession(this.#context);
    this.#input = ssl.newBio(ssl.datagramMemory());
    this.#output = ssl.newBio(ssl.datagramMemory());
    ssl.setBio(this.#session, this.#input, this.#output);
    ssl.control(this.#session, CTRL_SET_MTU, MTU, null);
    ssl.connectState(this.#session);
  }

  get isEstablished(): boolean {
    return this.#ssl.isFinished(this.#session) === 1;
  }

  /** Takes a datagram of the server, or none to begin with; returns those that it sends then. */
  advance(datagram?: Buffer): readonly Buffer[] {
    if (datagram !== undefined) this.#ssl.bioWrite(this.#input, datagram, datagram.length);
    this.#ssl.clearErrors();
    this.#ssl.read(this.#session, this.#scratch, this.#scratch.length);
    return this.#pull();
  }

  /** The record that `bytes` become. */
  seal(bytes: Buffer): Buffer {
    this.#ssl.clearErrors();
    this.#ssl.write(this.#session, bytes, bytes.length);
    return Buffer.concat(this.#pull());
  }

  close(): void {
    this.#ssl.free(this.#session);
    this.#ssl.freeContext(this.#context);
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
