/** The header of PROXY protocol version 2, in which a load balancer names the client. */
import type { TransportAddress } from "../../net/address.ts";
import { textOfBytes } from "../../net/ip.ts";

export interface ProxyHeader {
  /** Length in bytes; the client's data begins after it. */
  readonly length: number;
  /** The client, and the address that it connected to. Undefined if the load balancer speaks for itself. */
  readonly addresses?: { readonly source: TransportAddress; readonly destination: TransportAddress };
}

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const FIXED_BYTES = 16;
/** Longer ones (with many TLVs) are rejected: the client is not authenticated yet. */
const MAX_BYTES = 4096;
const [LOCAL, PROXY] = [0x20, 0x21];
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
/** Families that the protocol defines but no TCP client has: no addresses, and Unix sockets. */
const withoutAddresses: ReadonlySet<number> = new Set([0x00, 0x31]);

/** The header at the start of `bytes`; `more` if it is incomplete. */
export const readProxyHeader = (bytes: Buffer): ProxyHeader | "more" | "invalid" => {
  const known = Math.min(bytes.length, signature.length);
  if (bytes.compare(signature, 0, known, 0, known) !== 0) return "invalid";
  if (bytes.length < FIXED_BYTES) return "more";
  const command = bytes[12];
  const kind = bytes[13] ?? 0;
  const length = FIXED_BYTES + bytes.readUInt16BE(14);
  if ((command !== LOCAL && command !== PROXY) || length > MAX_BYTES) return "invalid";
  const size = kind === TCP_OVER_IPV4 ? 4 : 16;
  const hasAddresses = command === PROXY && (kind === TCP_OVER_IPV4 || kind === TCP_OVER_IPV6);
  if (command === PROXY && !hasAddresses && !withoutAddresses.has(kind)) return "invalid";
  if (hasAddresses && length < FIXED_BYTES + 2 * size + 4) return "invalid";
  if (bytes.length < length) return "more";
  if (!hasAddresses) return { length };
  const port = FIXED_BYTES + 2 * size;
  const source = { address: textOfBytes(bytes, FIXED_BYTES, size), port: bytes.readUInt16BE(port) };
  const destination = { address: textOfBytes(bytes, FIXED_BYTES + size, size), port: bytes.readUInt16BE(port + 2) };
  // Nothing connects from port 0.
  return source.port === 0 ? "invalid" : { length, addresses: { source, destination } };
};
