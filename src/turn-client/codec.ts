/**
 * STUN messages as our clients send and receive them; the relay has a separate codec. The npm package `stun` reads and
 * writes the values that it knows. This codec validates the package's input, and implements what the package gets wrong
 * (MESSAGE-INTEGRITY, FINGERPRINT, ERROR-CODE) or does not know.
 */
import stunCreate from "stun/src/node_modules/lib/create-message.js";
import stunDecode from "stun/src/node_modules/message/decode.js";
import type { DropCode } from "../reasons.ts";
import type { TransportAddress } from "../net/address.ts";
import { parseIp } from "../net/ip.ts";
import { attribute, draftAdditionalAddressFamily, isUnknown } from "../stun/attributes.ts";
import { fingerprintIsValid } from "../stun/integrity.ts";
import {
  classes,
  messageLength,
  type Message,
  type MessageClass,
  type Outgoing,
  type Undecodable,
} from "../stun/message.ts";
import {
  addressIsValid,
  attributeBytes,
  isAddress,
  lengthIsValid,
  readAddress,
  readErrorCode,
  xorAddressValue,
} from "./attribute-bytes.ts";
import { withFingerprint, withIntegrity } from "./signing.ts";

/** Attributes that the package cannot read, well-formed or not. */
type Unreadable =
  | { readonly kind: "drop"; readonly code: "stun-package" }
  | {
      readonly kind: "reject";
      readonly code: "400 package";
      readonly method: number;
      readonly transactionId: Buffer;
    };

type Decoded = { readonly kind: "message"; readonly message: Message } | Undecodable | Unreadable;

const maxAttributes = 64;
const drop = (code: DropCode): Undecodable => ({ kind: "drop", code });

const methodOf = (type: number): number => (type & 0xf) | ((type & 0xe0) >> 1) | ((type & 0x3e00) >> 2);
const classOf = (type: number): MessageClass =>
  classes[((type & 0x10) >> 4) | ((type & 0x100) >> 7)] ?? ("request" as const);
const typeOf = (m: number, c: MessageClass): number => {
  const bits = classes.indexOf(c);
  return (m & 0xf) | ((m & 0x70) << 1) | ((m & 0xf80) << 2) | ((bits & 1) << 4) | ((bits & 2) << 7);
};

interface Walk {
  /** Type, value offset, value length, three numbers an attribute. */
  readonly at: readonly number[];
  /** The end of the part to read: after MESSAGE-INTEGRITY, before MESSAGE-INTEGRITY-SHA256, or the whole message. */
  readonly end: number;
  readonly integrityAt?: number;
  readonly integritySha256At?: number;
  readonly hasFingerprint: boolean;
}

/** The attributes of `bytes`, or why they are malformed. */
const walk = (
  bytes: Buffer,
): Walk | "attribute-bounds" | "attribute-count" | "attribute-length" | "fingerprint" | "fingerprint-place" => {
  const at: number[] = [];
  let integrityAt: number | undefined;
  let integritySha256At: number | undefined;
  const signatures = () => ({
    ...(integrityAt !== undefined && { integrityAt }),
    ...(integritySha256At !== undefined && { integritySha256At }),
  });
  let end = bytes.length;
  let count = 0;
  for (let offset = 20; offset < bytes.length;) {
    if (offset + 4 > bytes.length) return "attribute-bounds";
    if (++count > maxAttributes) return "attribute-count";
    const type = bytes.readUInt16BE(offset);
    const length = bytes.readUInt16BE(offset + 2);
    const next = offset + 4 + ((length + 3) & ~3);
    if (next > bytes.length) return "attribute-bounds";
    if (type === attribute.fingerprint) {
      if (length !== 4 || next !== bytes.length) return "fingerprint-place";
      if (!fingerprintIsValid(bytes, offset)) return "fingerprint";
      return {
        at,
        end: Math.min(end, offset),
        hasFingerprint: true,
        ...signatures(),
      };
    }
    if (type === attribute.messageIntegritySha256 && integritySha256At === undefined) {
      if (length < 16 || length > 32 || length % 4 !== 0) return "attribute-length";
      integritySha256At = offset;
      if (integrityAt === undefined) end = offset;
    } else if (integrityAt === undefined && integritySha256At === undefined) {
      at.push(type, offset + 4, length);
      if (type === attribute.messageIntegrity) {
        if (length !== 20) return "attribute-length";
        integrityAt = offset;
        end = next;
      }
    }
    offset = next;
  }
  return { at, end, hasFingerprint: false, ...signatures() };
};

const canonical = (value: unknown): TransportAddress | undefined => {
  const { address, port } = value as TransportAddress;
  const ip = parseIp(address);
  return ip === undefined ? undefined : { address: ip.text, port };
};

type Mutable = { -readonly [K in keyof Message]: Message[K] } & {
  peers: TransportAddress[];
  relayed: TransportAddress[];
};

/** Values that the package reads; the first attribute of a type counts, except addresses, which may repeat. */
const known = (into: Mutable, type: number, value: unknown): void => {
  switch (type) {
    case attribute.username:
      into.username ??= (value as Buffer).toString("utf8");
      break;
    case attribute.realm:
      into.realm ??= (value as Buffer).toString("utf8");
      break;
    case attribute.nonce:
      into.nonce ??= (value as Buffer).toString("utf8");
      break;
    case attribute.data:
      into.data ??= value as Buffer;
      break;
    case attribute.lifetime:
      into.lifetime ??= value as number;
      break;
    case attribute.channelNumber:
      into.channelNumber ??= (value as number) >>> 16;
      break;
    case attribute.requestedTransport:
      into.requestedTransport ??= (value as number) >>> 24;
      break;
    case attribute.reservationToken:
      into.reservationToken ??= value as Buffer;
      break;
    case attribute.evenPort:
      into.evenPort ??= ((value as Buffer)[0] ?? 0) >= 0x80;
      break;
    case attribute.xorPeerAddress: {
      const peer = canonical(value);
      if (peer !== undefined) into.peers.push(peer);
      break;
    }
    case attribute.xorRelayedAddress: {
      const relayed = canonical(value);
      if (relayed !== undefined) into.relayed.push(relayed);
      break;
    }
    case attribute.xorMappedAddress: {
      const mapped = canonical(value);
      if (mapped !== undefined) into.mapped ??= mapped;
      break;
    }
  }
};

/** Values that the package does not know, or reads wrongly. */
const raw = (into: Mutable, type: number, value: Buffer): void => {
  switch (type) {
    case attribute.requestedAddressFamily:
      into.requestedFamily ??= value[0] ?? 0;
      break;
    case attribute.additionalAddressFamily:
    case draftAdditionalAddressFamily:
      into.additionalFamily ??= value[0] ?? 0;
      break;
    case attribute.addressErrorCode:
      into.addressError ??= { family: value[0] ?? 0, code: readErrorCode(value).code };
      break;
    case attribute.connectionId:
      into.connectionId ??= value.readUInt32BE(0);
      break;
    case attribute.dontFragment:
      into.dontFragment = true;
      break;
    case attribute.passwordAlgorithm:
      into.passwordAlgorithm ??= value;
      break;
    case attribute.passwordAlgorithms:
      into.passwordAlgorithms ??= value;
      break;
    case attribute.mobilityTicket:
      into.mobilityTicket ??= value;
      break;
    case attribute.alternateServer:
      into.alternateServer ??= readAddress(value);
      break;
    case attribute.errorCode:
      into.error ??= readErrorCode(value);
      break;
  }
};

/** The covered part of `bytes` as a separate message. */
const covered = (bytes: Buffer, end: number): Buffer => {
  if (end === bytes.length) return bytes;
  const part = Buffer.from(bytes.subarray(0, end));
  part.writeUInt16BE(end - 20, 2);
  return part;
};

/** Reads one datagram or frame. Never throws. */
export const decode = (bytes: Buffer): Decoded => {
  if (bytes.length < 20) return drop("stun-short");
  if (messageLength(bytes) !== bytes.length) return drop("stun-header");
  const type = bytes.readUInt16BE(0);
  const transactionId = Buffer.from(bytes.subarray(8, 20));
  const reject = (reason: "attribute-length" | "address-family"): Undecodable =>
    classOf(type) === "request"
      ? { kind: "reject", code: `400 ${reason}`, method: methodOf(type), transactionId }
      : drop(`stun-${reason}`);
  const walked = walk(bytes);
  if (typeof walked === "string") return drop(`stun-${walked}`);
  const { at, end, hasFingerprint, integrityAt, integritySha256At } = walked;
  const unknown = new Set<number>();
  for (let index = 0; index < at.length; index += 3) {
    const [attributeType = 0, offset = 0, length = 0] = at.slice(index, index + 3);
    if (!lengthIsValid(attributeType, length)) return reject("attribute-length");
    if (isAddress(attributeType) && !addressIsValid(bytes, offset, length)) return reject("address-family");
    if (isUnknown(attributeType)) unknown.add(attributeType);
  }
  const message: Mutable = {
    bytes,
    method: methodOf(type),
    class: classOf(type),
    transactionId,
    hasFingerprint,
    unknown: [...unknown],
    peers: [],
    relayed: [],
    ...(integrityAt !== undefined && { integrityAt }),
    ...(integritySha256At !== undefined && { integritySha256At }),
  };
  try {
    for (const { type: attributeType, value } of stunDecode(covered(bytes, end))) known(message, attributeType, value);
  } catch {
    return classOf(type) === "request"
      ? { kind: "reject", code: "400 package", method: methodOf(type), transactionId }
      : { kind: "drop", code: "stun-package" };
  }
  for (let index = 0; index < at.length; index += 3) {
    const [attributeType = 0, offset = 0, length = 0] = at.slice(index, index + 3);
    raw(message, attributeType, bytes.subarray(offset, offset + length));
  }
  return { kind: "message", message };
};

/** Writes a message. Attributes given as bytes and repeated ones come after the others. */
export const encode = (out: Outgoing): Buffer => {
  const message = stunCreate.createMessage(typeOf(out.method, out.class), out.transactionId);
  const behind: Buffer[] = [];
  const written = new Set<number>();
  for (const item of out.attributes ?? []) {
    if ("raw" in item) behind.push(attributeBytes(item.type, item.raw));
    else if ("address" in item) {
      // A link-local address may contain a zone, which has no meaning for the other side and breaks the package.
      const address = parseIp(item.address.address)?.text ?? "";
      const value = xorAddressValue({ address, port: item.address.port }, out.transactionId);
      if (value === undefined) continue;
      if (written.has(item.type)) behind.push(attributeBytes(item.type, value));
      else message.addAttribute(item.type, address, item.address.port);
    } else if ("code" in item) message.addAttribute(item.type, item.code);
    else message.addAttribute(item.type, item.value);
    written.add(item.type);
  }
  let bytes = message.toBuffer();
  if (behind.length > 0) {
    bytes = Buffer.concat([bytes, ...behind]);
    bytes.writeUInt16BE(bytes.length - 20, 2);
  }
  if (out.key !== undefined) bytes = withIntegrity(bytes, out.key);
  return out.fingerprint === true ? withFingerprint(bytes) : bytes;
};
