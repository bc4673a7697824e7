/**
 * What is read of a ClientHello before the handshake: the server name (RFC 6066 §3) and the protocols that the client
 * offers (RFC 7301 §3.1). OpenSSL checks everything else.
 */

export interface ClientHello {
  /** Of the extension server_name; undefined if there is none. */
  readonly serverName: string | undefined;
  /** Of the extension ALPN, in the client's order. */
  readonly protocols: readonly string[];
}

/** What a stream that is no TLS is taken for, so that its handshake fails. */
export const noHello: ClientHello = { serverName: undefined, protocols: [] };

/** Longest ClientHello that is read, with its record headers. */
export const maxClientHelloBytes = 16_384;
/** Records that a ClientHello may be split into. */
const MAX_RECORDS = 16;
const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_HEADER_BYTES = 4;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const VERSION_AND_RANDOM_BYTES = 34;
const SERVER_NAME = 0;
const ALPN = 16;
const HOST_NAME = 0;

/** The content of a vector with a length of `width` bytes (RFC 8446 §3.4) at `at`; undefined if it is not whole. */
const vectorAt = (bytes: Buffer, at: number, width: 1 | 2): Buffer | undefined => {
  const start = at + width;
  if (start > bytes.length) return undefined;
  const end = start + bytes.readUIntBE(at, width);
  return end > bytes.length ? undefined : bytes.subarray(start, end);
};

/** The vectors that fill `bytes`; undefined if the last is not whole. */
const vectorsIn = (bytes: Buffer, width: 1 | 2): readonly Buffer[] | undefined => {
  const vectors: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const vector = vectorAt(bytes, at, width);
    if (vector === undefined) return undefined;
    vectors.push(vector);
    at += width + vector.length;
  }
  return vectors;
};

const serverNameIn = (extension: Buffer): string | undefined => {
  const list = vectorAt(extension, 0, 2);
  if (list === undefined || list[0] !== HOST_NAME) return undefined;
  return vectorAt(list, 1, 2)?.toString("latin1");
};

const protocolsIn = (extension: Buffer): readonly string[] => {
  const list = vectorAt(extension, 0, 2);
  return (list && vectorsIn(list, 1))?.map((one) => one.toString("latin1")) ?? [];
};

/**
 * The body of a ClientHello, without its handshake header; undefined if it is malformed.
 * @param transport with `dtls`, there is a cookie after the session id (RFC 6347 §4.2.1).
 */
export const readHelloBody = (body: Buffer, transport: "tls" | "dtls"): ClientHello | undefined => {
  let at = VERSION_AND_RANDOM_BYTES;
  for (const width of [1, ...(transport === "dtls" ? [1 as const] : []), 2, 1] as const) {
    const skipped = vectorAt(body, at, width);
    if (skipped === undefined) return undefined;
    at += width + skipped.length;
  }
  let serverName: string | undefined;
  let protocols: readonly string[] = [];
  const extensions = at === body.length ? Buffer.alloc(0) : vectorAt(body, at, 2);
  if (extensions === undefined) return undefined;
  for (at = 0; at < extensions.length;) {
    const extension = vectorAt(extensions, at + 2, 2);
    if (extension === undefined) return undefined;
    const type = extensions.readUInt16BE(at);
    if (type === SERVER_NAME) serverName = serverNameIn(extension);
    if (type === ALPN) protocols = protocolsIn(extension);
    at += 4 + extension.length;
  }
  return { serverName, protocols };
};

/**
 * The ClientHello at the start of a stream. `more`: the number of bytes of the stream without which there is nothing new to
 * read. `invalid`: it is no ClientHello, or a longer one than clients send.
 */
export const readClientHello = (bytes: Buffer): ClientHello | { readonly more: number } | "invalid" => {
  const parts: Buffer[] = [];
  let at = 0;
  for (let records = 0; records < MAX_RECORDS; records++) {
    if (bytes.length > at && bytes[at] !== HANDSHAKE) return "invalid";
    if (bytes.length < at + RECORD_HEADER_BYTES) return { more: at + RECORD_HEADER_BYTES };
    const end = at + RECORD_HEADER_BYTES + bytes.readUInt16BE(at + 3);
    if (bytes[at + 1] !== 3 || end > maxClientHelloBytes) return "invalid";
    if (bytes.length < end) return { more: end };
    parts.push(bytes.subarray(at + RECORD_HEADER_BYTES, end));
    at = end;
    const message = Buffer.concat(parts);
    if (message.length < HANDSHAKE_HEADER_BYTES) continue;
    if (message[0] !== CLIENT_HELLO) return "invalid";
    const length = HANDSHAKE_HEADER_BYTES + message.readUIntBE(1, 3);
    if (length > maxClientHelloBytes) return "invalid";
    if (message.length < length) continue;
    return readHelloBody(message.subarray(HANDSHAKE_HEADER_BYTES, length), "tls") ?? "invalid";
  }
  return "invalid";
};
