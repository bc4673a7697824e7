/** STUN and TURN attribute types, and byte-valued constants. */
import type { TransportAddress } from "../net/address.ts";
import { bytesOf, parseIp, textOfBytes } from "../net/ip.ts";

/** RFC 8489 §18.3, RFC 8656 §18. */
export const attribute = {
  mappedAddress: 0x0001,
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  channelNumber: 0x000c,
  lifetime: 0x000d,
  xorPeerAddress: 0x0012,
  data: 0x0013,
  realm: 0x0014,
  nonce: 0x0015,
  xorRelayedAddress: 0x0016,
  requestedAddressFamily: 0x0017,
  evenPort: 0x0018,
  requestedTransport: 0x0019,
  dontFragment: 0x001a,
  messageIntegritySha256: 0x001c,
  passwordAlgorithm: 0x001d,
  userhash: 0x001e,
  xorMappedAddress: 0x0020,
  reservationToken: 0x0022,
  priority: 0x0024,
  useCandidate: 0x0025,
  connectionId: 0x002a,
  additionalAddressFamily: 0x8000,
  passwordAlgorithms: 0x8002,
  addressErrorCode: 0x8001,
  alternateServer: 0x8023,
  fingerprint: 0x8028,
  /** RFC 8016 §3.3. */
  mobilityTicket: 0x8030,
} as const;

/** NAT behaviour discovery (RFC 5780 §7): understood only by listeners with two addresses. */
export const discoveryAttribute = {
  changeRequest: 0x0003,
  responsePort: 0x0027,
  responseOrigin: 0x802b,
  otherAddress: 0x802c,
} as const;

/** ADDITIONAL-ADDRESS-FAMILY before RFC 8656 assigned its number; some clients still send it. */
export const draftAdditionalAddressFamily = 0x8032;

export const magicCookie = 0x2112a442;
/** Values of REQUESTED-ADDRESS-FAMILY and ADDITIONAL-ADDRESS-FAMILY. */
export const addressFamily = { ipv4: 0x01, ipv6: 0x02 } as const;

const understood: ReadonlySet<number> = new Set(Object.values(attribute).filter((type) => type < 0x8000));

/** Comprehension-required but unknown: answered with 420. */
export const isUnknown = (type: number): boolean => type < 0x8000 && !understood.has(type);

/** The value of an XOR address attribute (RFC 8489 §14.2) that starts at `offset`. */
export const readXorAddress = (bytes: Buffer, offset: number, length: number): TransportAddress => {
  const port = bytes.readUInt16BE(offset + 2) ^ (magicCookie >>> 16);
  const size = length === 8 ? 4 : 16;
  const plain = Buffer.allocUnsafe(size);
  // The pad is the magic cookie and the transaction id: bytes 4 to 20 of the message.
  for (let at = 0; at < size; at++) plain[at] = (bytes[offset + 4 + at] ?? 0) ^ (bytes[4 + at] ?? 0);
  return { address: textOfBytes(plain, 0, size), port };
};

/** RFC 6062 §6.2.1. */
export const connectionIdValue = (id: number): Buffer => {
  const value = Buffer.allocUnsafe(4);
  value.writeUInt32BE(id);
  return value;
};

/** An address that is not XORed, as in ALTERNATE-SERVER (RFC 8489 §14.1, §14.15); undefined if it is not an IP literal. */
export const addressValue = (at: TransportAddress): Buffer | undefined => {
  const ip = parseIp(at.address);
  if (ip === undefined) return undefined;
  const head = Buffer.from([
    0,
    ip.family === 4 ? addressFamily.ipv4 : addressFamily.ipv6,
    at.port >>> 8,
    at.port & 255,
  ]);
  return Buffer.concat([head, bytesOf(ip)]);
};

/** RFC 8656 §18.12: family, then class and number as in ERROR-CODE, no reason phrase. */
export const addressErrorCodeValue = (family: number, code: number): Buffer =>
  Buffer.from([family, 0, Math.floor(code / 100), code % 100]);
