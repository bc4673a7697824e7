/** Values that the `stun` package cannot read or write, and values that it must not receive. */
import type { TransportAddress } from "../net/address.ts";
import { bytesOf, parseIp, textOfBytes } from "../net/ip.ts";
import { addressFamily, attribute, draftAdditionalAddressFamily, magicCookie } from "../stun/attributes.ts";

/**
 * The valid lengths of a value. The package reads fixed-size values without checking their length, so nothing outside these
 * limits may reach it.
 */
const lengths: ReadonlyMap<number, (length: number) => boolean> = new Map([
  ...[
    attribute.mappedAddress,
    attribute.xorPeerAddress,
    attribute.xorRelayedAddress,
    attribute.xorMappedAddress,
    0x8020,
    attribute.alternateServer,
    0x802b,
    0x802c,
  ].map((type): [number, (length: number) => boolean] => [type, (length) => length === 8 || length === 20]),
  ...[
    attribute.channelNumber,
    attribute.lifetime,
    attribute.requestedAddressFamily,
    attribute.additionalAddressFamily,
    draftAdditionalAddressFamily,
    attribute.requestedTransport,
    attribute.connectionId,
    attribute.priority,
    attribute.fingerprint,
    0x0003,
    0xff00,
    0xc001,
    0xc057,
  ].map((type): [number, (length: number) => boolean] => [type, (length) => length === 4]),
  [attribute.errorCode, (length) => length >= 4 && length <= 4 + 763],
  [attribute.addressErrorCode, (length) => length >= 4 && length <= 4 + 763],
  [attribute.unknownAttributes, (length) => length % 2 === 0],
  [attribute.username, (length) => length > 0 && length <= 513],
  [attribute.realm, (length) => length > 0 && length <= 763],
  [attribute.nonce, (length) => length > 0 && length <= 763],
  [attribute.messageIntegrity, (length) => length === 20],
  [attribute.evenPort, (length) => length === 1],
  [attribute.dontFragment, (length) => length === 0],
  [attribute.reservationToken, (length) => length === 8],
  [0x0027, (length) => length === 2 || length === 4],
]);

export const lengthIsValid = (type: number, length: number): boolean => lengths.get(type)?.(length) ?? true;

/** An address attribute contains its family; the length must match it, or the package reads past the value. */
export const addressIsValid = (bytes: Buffer, offset: number, length: number): boolean =>
  bytes[offset + 1] === (length === 8 ? addressFamily.ipv4 : addressFamily.ipv6);

export const isAddress = (type: number): boolean =>
  type === attribute.mappedAddress ||
  type === attribute.xorPeerAddress ||
  type === attribute.xorRelayedAddress ||
  type === attribute.xorMappedAddress ||
  type === attribute.alternateServer ||
  type === 0x802b ||
  type === 0x802c;

/** RFC 8489 §14.2; `undefined` if `address` is not an IP literal. */
export const xorAddressValue = (at: TransportAddress, transactionId: Buffer): Buffer | undefined => {
  const ip = parseIp(at.address);
  if (ip === undefined) return undefined;
  const bytes = bytesOf(ip);
  const value = Buffer.alloc(4 + bytes.length);
  value[1] = ip.family === 4 ? addressFamily.ipv4 : addressFamily.ipv6;
  value.writeUInt16BE(at.port ^ (magicCookie >>> 16), 2);
  const pad = Buffer.allocUnsafe(16);
  pad.writeUInt32BE(magicCookie, 0);
  transactionId.copy(pad, 4);
  for (let index = 0; index < bytes.length; index++) value[4 + index] = (bytes[index] ?? 0) ^ (pad[index] ?? 0);
  return value;
};

/**
 * RFC 8489 §14.8: the class is the hundreds digit. The package multiplies instead of adding, so this is implemented here.
 */
export const readErrorCode = (value: Buffer): { readonly code: number; readonly reason: string } => ({
  code: ((value[2] ?? 0) & 7) * 100 + (value[3] ?? 0),
  reason: value.toString("utf8", 4),
});

/** @param value of an attribute whose length and family match. */
export const readAddress = (value: Buffer): TransportAddress => ({
  address: textOfBytes(value, 4, value.length === 8 ? 4 : 16),
  port: value.readUInt16BE(2),
});

/** One attribute on the wire, padded to four bytes. */
export const attributeBytes = (type: number, value: Buffer): Buffer => {
  const bytes = Buffer.alloc(4 + ((value.length + 3) & ~3));
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  value.copy(bytes, 4);
  return bytes;
};
