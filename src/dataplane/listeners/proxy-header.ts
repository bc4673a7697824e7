/** The header of PROXY protocol, version 1 or 2, in which a load balancer names the client. */
import type { TransportAddress } from "../../net/address.ts";
import { bytesOf, parseIp, textOfBytes } from "../../net/ip.ts";
import type { ProxyVersion } from "../../resources/http-backends.ts";

/** The client, and the address that it connected to. */
export interface ProxyAddresses {
  readonly source: TransportAddress;
  readonly destination: TransportAddress;
}

export interface ProxyHeader {
  /** Length in bytes; the client's data begins after it. */
  readonly length: number;
  /** Undefined if the load balancer speaks for itself. */
  readonly addresses?: ProxyAddresses;
}

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const FIXED_BYTES = 16;
/** Longer ones (with many TLVs) are rejected: the client is not authenticated yet. */
const MAX_BYTES = 4096;
const [LOCAL, PROXY] = [0x20, 0x21];
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
/** Families that the protocol defines but no client has: no addresses, and Unix sockets. */
const kinds = {
  tcp: { ipv4: TCP_OVER_IPV4, ipv6: TCP_OVER_IPV6, withoutAddresses: new Set([0x00, 0x31]) },
  udp: { ipv4: 0x12, ipv6: 0x22, withoutAddresses: new Set([0x00, 0x32]) },
} as const;

const lineStart = Buffer.from("PROXY ");
/** Of version 1, with the end of the line. */
const MAX_LINE_BYTES = 107;
const LINE =
  /^PROXY (?:UNKNOWN(?: .*)?|TCP(?<family>[46]) (?<from>[0-9a-f:.]+) (?<to>[0-9a-f:.]+) (?<source>\d{1,5}) (?<destination>\d{1,5}))$/i;

/** Version 1: a line of text. */
const readLine = (bytes: Buffer): ProxyHeader | "more" | "invalid" => {
  const end = bytes.subarray(0, MAX_LINE_BYTES).indexOf("\r\n");
  if (end < 0) return bytes.length < MAX_LINE_BYTES ? "more" : "invalid";
  const length = end + 2;
  const found = LINE.exec(bytes.toString("latin1", 0, end));
  if (found === null) return "invalid";
  const { family, from = "", to = "", source, destination } = found.groups ?? {};
  if (family === undefined) return { length };
  const ips = [parseIp(from), parseIp(to)];
  const [client, server] = ips.map((ip) => (ip?.family === Number(family) ? ip.text : undefined));
  const ports = [Number(source), Number(destination)] as const;
  if (client === undefined || server === undefined || ports[0] === 0 || Math.max(...ports) > 65_535) return "invalid";
  return {
    length,
    addresses: {
      source: { address: client, port: ports[0] },
      destination: { address: server, port: ports[1] },
    },
  };
};

/** The header at the start of `bytes`; `more` if it is incomplete. Version 1 is only for TCP. */
export const readProxyHeader = (bytes: Buffer, transport: "tcp" | "udp" = "tcp"): ProxyHeader | "more" | "invalid" => {
  const { ipv4, ipv6, withoutAddresses } = kinds[transport];
  if (transport === "tcp" && bytes.subarray(0, lineStart.length).equals(lineStart.subarray(0, bytes.length)))
    return readLine(bytes);
  const known = Math.min(bytes.length, signature.length);
  if (bytes.compare(signature, 0, known, 0, known) !== 0) return "invalid";
  if (bytes.length < FIXED_BYTES) return "more";
  const command = bytes[12];
  const kind = bytes[13] ?? 0;
  const length = FIXED_BYTES + bytes.readUInt16BE(14);
  if ((command !== LOCAL && command !== PROXY) || length > MAX_BYTES) return "invalid";
  const size = kind === ipv4 ? 4 : 16;
  const hasAddresses = command === PROXY && (kind === ipv4 || kind === ipv6);
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

const portBytes = (port: number): Buffer => Buffer.from([port >> 8, port & 255]);

/** The header of a connection from `source`, to be sent before its data; empty for `none`. */
export const proxyHeaderOf = (version: ProxyVersion, { source, destination }: ProxyAddresses): Buffer => {
  const [from, to] = [parseIp(source.address), parseIp(destination.address)];
  const isKnown = from !== undefined && to !== undefined && from.family === to.family;
  switch (version) {
    case "none":
      return Buffer.alloc(0);
    case "v1":
      return Buffer.from(
        isKnown
          ? `PROXY TCP${from.family} ${from.text} ${to.text} ${source.port} ${destination.port}\r\n`
          : "PROXY UNKNOWN\r\n",
      );
    case "v2": {
      const addresses = isKnown
        ? Buffer.concat([bytesOf(from), bytesOf(to), portBytes(source.port), portBytes(destination.port)])
        : Buffer.alloc(0);
      const kind = !isKnown ? 0 : from.family === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
      return Buffer.concat([signature, Buffer.from([PROXY, kind]), portBytes(addresses.length), addresses]);
    }
    default:
      return version satisfies never;
  }
};
