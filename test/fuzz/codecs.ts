/**
 * The relay's STUN codec compared with the clients' one, which is the `stun` package: generated messages, damaged messages, and
 * bytes that never were a message. Both must reach the same verdict, read the same values and write the same bytes, except:
 *
 * - The package refuses an address that is not XORed and has port 0 (`deviatesAtPortZero`). RFC 8489 has no such rule.
 * - The package writes an attribute type once, and none that it has no name for: the clients' codec appends those. The relay's
 *   codec writes in the order that it is given. `outgoingFrom` therefore puts them last.
 * - The package multiplies the class of an error code with its number. The clients' codec reads ERROR-CODE itself.
 */
import { HmacSha1 } from "../../src/stun/hmac-sha1.ts";
import { HmacSha256 } from "../../src/stun/hmac-sha256.ts";
import { addressErrorCodeValue, addressValue, attribute, connectionIdValue } from "../../src/stun/attributes.ts";
import { classes, method, type Attribute, type Message, type Outgoing } from "../../src/stun/message.ts";
import * as ours from "../../src/stun/reader.ts";
import { encode } from "../../src/stun/writer.ts";
import { textOfBytes } from "../../src/net/ip.ts";
import * as theirs from "../../src/turn-client/codec.ts";
import { mutate } from "./mutate.ts";

type Random = () => number;

const below = (random: Random, n: number): number => Math.floor(random() * n);
const oneOf = <T>(random: Random, all: readonly [T, ...T[]]): T => all[below(random, all.length)] ?? all[0];
const bytesFrom = (random: Random, length: number): Buffer => {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 4)
    bytes.writeUIntBE(below(random, 2 ** 32) % 2 ** (8 * Math.min(4, length - at)), at, Math.min(4, length - at));
  return bytes;
};

/** An address of either family; one in eight is IPv4-mapped or has its zeros where text forms differ. */
const addressFrom = (random: Random): { readonly address: string; readonly port: number } => {
  const isV4 = random() < 0.5;
  const bytes = bytesFrom(random, isV4 ? 4 : 16);
  if (!isV4 && random() < 0.5) for (let at = 0; at < 16; at += 2) if (random() < 0.6) bytes.fill(0, at, at + 2);
  if (!isV4 && random() < 0.25) Buffer.from("00000000000000000000ffff", "hex").copy(bytes);
  return { address: textOfBytes(bytes, 0, isV4 ? 4 : 16), port: 1 + below(random, 0xffff) };
};

const texts = ["user-1", "1700000000:alice", "stunner.l7mp.io", "マトリックス", "é", "AAAAAAAAAAAAAAAA", "x"] as const;
const textFrom = (random: Random): string => oneOf(random, texts).repeat(1 + below(random, 4));

const key = new HmacSha1(Buffer.from("a key of both codecs"));
const otherKey = new HmacSha256(Buffer.from("another key of both"));

/** What the package writes by value, each at most once. */
const values: readonly ((random: Random) => Attribute)[] = [
  (random) => ({ type: attribute.username, value: textFrom(random) }),
  (random) => ({ type: attribute.realm, value: textFrom(random) }),
  (random) => ({ type: attribute.nonce, value: textFrom(random) }),
  (random) => ({ type: attribute.lifetime, value: below(random, 2 ** 32) }),
  (random) => ({ type: attribute.channelNumber, value: below(random, 2 ** 32) }),
  (random) => ({
    type: attribute.requestedTransport,
    value: oneOf(random, [6, 17, 255]) * 0x1000000 + below(random, 256),
  }),
  (random) => ({ type: attribute.evenPort, value: bytesFrom(random, 1) }),
  (random) => ({ type: attribute.reservationToken, value: bytesFrom(random, 8) }),
  (random) => ({ type: attribute.data, value: bytesFrom(random, below(random, 40)) }),
  (random) => ({ type: attribute.errorCode, code: 300 + below(random, 400) }),
  (random) => ({ type: attribute.xorPeerAddress, address: addressFrom(random) }),
  (random) => ({ type: attribute.xorRelayedAddress, address: addressFrom(random) }),
  (random) => ({ type: attribute.xorMappedAddress, address: addressFrom(random) }),
  (random) => ({
    type: attribute.unknownAttributes,
    value: [...new Set(Array.from({ length: 1 + below(random, 5) }, () => below(random, 0x8000)))],
  }),
];

/** What it does not, which stands behind. */
const raws: readonly ((random: Random) => Attribute)[] = [
  (random) => ({ type: attribute.requestedAddressFamily, raw: bytesFrom(random, 4) }),
  (random) => ({ type: attribute.additionalAddressFamily, raw: bytesFrom(random, 4) }),
  (random) => ({ type: 0x8032, raw: bytesFrom(random, 4) }),
  () => ({ type: attribute.dontFragment, raw: Buffer.alloc(0) }),
  (random) => ({ type: attribute.mobilityTicket, raw: bytesFrom(random, below(random, 40)) }),
  (random) => ({ type: attribute.passwordAlgorithm, raw: bytesFrom(random, 4) }),
  (random) => ({ type: attribute.passwordAlgorithms, raw: bytesFrom(random, 8) }),
  (random) => ({ type: attribute.connectionId, raw: connectionIdValue(below(random, 2 ** 32)) }),
  (random) => ({ type: attribute.addressErrorCode, raw: addressErrorCodeValue(2, 300 + below(random, 400)) }),
  (random) => ({ type: attribute.alternateServer, raw: addressValue(addressFrom(random)) ?? Buffer.alloc(0) }),
  (random) => ({ type: below(random, 0x10000), raw: bytesFrom(random, below(random, 12)) }),
];

const chosen = (random: Random, all: readonly ((random: Random) => Attribute)[], share: number): readonly Attribute[] =>
  all.filter(() => random() < share).map((make) => make(random));

const methods = Object.values(method);

/** An IPv4-mapped address of family IPv6, which both codecs read as IPv4, and neither writes. */
const mappedFrom = (random: Random, transactionId: Buffer): Attribute => {
  const pad = Buffer.concat([Buffer.from("2112a442", "hex"), transactionId]);
  const plain = Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), bytesFrom(random, 4)]);
  const type = oneOf(random, [attribute.xorPeerAddress, attribute.xorRelayedAddress, attribute.xorMappedAddress]);
  const head = Buffer.from([0, 2, below(random, 256), below(random, 256)]);
  return { type, raw: Buffer.concat([head, plain.map((byte, at) => byte ^ (pad[at] ?? 0))]) };
};

/** A message as either may write it, in the one order that both keep: repeated attributes and raw ones are the last. */
export const outgoingFrom = (random: Random): Outgoing => {
  const transactionId = bytesFrom(random, 12);
  return {
    method: random() < 0.8 ? (methods[below(random, methods.length)] ?? 1) : below(random, 0x200),
    class: classes[below(random, 4)] ?? "request",
    transactionId,
    attributes: [
      ...chosen(random, values, 0.3).toSorted(() => random() - 0.5),
      ...(random() < 0.2 ? [{ type: attribute.xorPeerAddress, address: addressFrom(random) }] : []),
      ...chosen(random, raws, 0.15),
      ...(random() < 0.1 ? [mappedFrom(random, transactionId)] : []),
    ],
    ...(random() < 0.4 ? { key: random() < 0.5 ? key : otherKey } : {}),
    fingerprint: random() < 0.3,
  };
};

const withHeader = (type: number, body: Buffer, random: Random): Buffer => {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(body.length & 0xffff, 2);
  header.writeUInt32BE(0x2112a442, 4);
  bytesFrom(random, 12).copy(header, 8);
  return Buffer.concat([header, body]);
};

/** Damaged bytes with a header that fits again: most damage never gets past that check. */
const repaired = (bytes: Buffer): Buffer => {
  const whole = bytes.subarray(0, bytes.length & ~3);
  if (whole.length < 20) return whole;
  whole[0] = (whole[0] ?? 0) & 3;
  whole.writeUInt16BE(whole.length - 20, 2);
  whole.writeUInt32BE(0x2112a442, 4);
  return whole;
};

const types: readonly number[] = [
  ...Object.values(attribute),
  // Those that only the package has a name for, and some without one.
  0x0003,
  0x0026,
  0x0027,
  0x8020,
  0x8022,
  0x8029,
  0x802a,
  0x802b,
  0x802c,
  0x802f,
  0x8032,
  0xc001,
  0xc057,
  0xff00,
  0x0002,
  0x7fff,
  0x8fff,
];
const lengths = [0, 1, 2, 3, 4, 5, 8, 12, 19, 20, 21, 32, 513, 514, 763, 764, 767, 768] as const;

/** Attributes of any type with values of any length, in a header that fits. Addresses mostly name a family. */
const assembled = (random: Random): Buffer => {
  const body: Buffer[] = [];
  if (random() < 0.02) return withHeader(1, Buffer.from("80220000".repeat(60 + below(random, 10)), "hex"), random);
  for (let count = below(random, 7); count > 0; count--) {
    const type = types[below(random, types.length)] ?? 0;
    const value = bytesFrom(random, lengths[below(random, random() < 0.9 ? 12 : lengths.length)] ?? 0);
    if (value.length >= 2 && random() < 0.8) value.writeUInt16BE(value.length === 8 ? 1 : 2, 0);
    if (value.length >= 4 && random() < 0.1) value.writeUInt16BE(0, 2);
    const head = Buffer.alloc(4);
    head.writeUInt16BE(type, 0);
    head.writeUInt16BE(value.length, 2);
    body.push(head, value, bytesFrom(random, -value.length & 3));
  }
  return withHeader(below(random, 0x400), Buffer.concat(body), random);
};

/** Whatever may come. Of four one is what a client wrote, one damaged, one assembled of attributes, and one noise. */
const bytesOf = (random: Random): Buffer => {
  switch (below(random, 4)) {
    case 0:
      return theirs.encode(outgoingFrom(random));
    case 1: {
      const [one, other] = [theirs.encode(outgoingFrom(random)), encode(outgoingFrom(random))];
      const changed = mutate(one, other, random);
      return random() < 0.3 ? changed : repaired(changed);
    }
    case 2:
      return assembled(random);
    default: {
      const noise = bytesFrom(random, below(random, 120));
      return random() < 0.5 ? noise : withHeader(below(random, 0x400), noise.subarray(0, noise.length & ~3), random);
    }
  }
};

const fields = [
  "method",
  "class",
  "transactionId",
  "integrityAt",
  "integritySha256At",
  "hasFingerprint",
  "unknown",
  "username",
  "realm",
  "nonce",
  "passwordAlgorithm",
  "passwordAlgorithms",
  "mobilityTicket",
  "lifetime",
  "peers",
  "relayed",
  "mapped",
  "data",
  "error",
  "channelNumber",
  "connectionId",
  "dontFragment",
  "alternateServer",
  "requestedTransport",
  "requestedFamily",
  "additionalFamily",
  "addressError",
  "evenPort",
  "reservationToken",
] as const satisfies readonly (keyof Message)[];

const textOf = (value: unknown): string =>
  Buffer.isBuffer(value) ? `bytes ${value.toString("hex")}` : value === undefined ? "nothing" : JSON.stringify(value);

const plainAddresses: readonly number[] = [attribute.mappedAddress, attribute.alternateServer, 0x802b, 0x802c];

/** Whether there is an address in `bytes` that only the package refuses. */
export const deviatesAtPortZero = (bytes: Buffer): boolean => {
  for (let at = 20; at + 8 <= bytes.length; at += 4 + ((bytes.readUInt16BE(at + 2) + 3) & ~3))
    if (plainAddresses.includes(bytes.readUInt16BE(at)) && bytes.readUInt16BE(at + 6) === 0) return true;
  return false;
};

/** How the codecs disagree about `bytes`; `undefined` if they do not. */
export const readDifference = (bytes: Buffer): string | undefined => {
  const [theirsRead, oursRead] = [theirs.decode(Buffer.from(bytes)), ours.decode(Buffer.from(bytes))];
  if (theirsRead.kind === "message" && oursRead.kind === "message") {
    for (const field of fields) {
      const [a, b] = [textOf(theirsRead.message[field]), textOf(oursRead[field])];
      if (a !== b) return `${field}: ${a} by the package, ${b} by the relay`;
    }
    return undefined;
  }
  const isRefusedByPackage = "code" in theirsRead && ["stun-package", "400 package"].includes(theirsRead.code);
  if (isRefusedByPackage && oursRead.kind === "message" && deviatesAtPortZero(bytes)) return undefined;
  const verdictOf = (read: typeof theirsRead | typeof oursRead): string =>
    read.kind === "message"
      ? "a message"
      : read.kind === "drop"
        ? read.code
        : `${read.code} to method ${read.method} ${read.transactionId.toString("hex")}`;
  const [a, b] = [verdictOf(theirsRead), verdictOf(oursRead)];
  return a === b ? undefined : `${a} by the package, ${b} by the relay`;
};

/** The values of `message` as something to write, in the order that both codecs keep. */
export const outgoingOf = (message: Message): Outgoing => {
  const text = (type: number, value: string | undefined): readonly Attribute[] =>
    value === undefined ? [] : [{ type, value }];
  const number = (type: number, value: number | undefined, shift = 1): readonly Attribute[] =>
    value === undefined ? [] : [{ type, value: value * shift }];
  const bytes = (type: number, value: Buffer | undefined): readonly Attribute[] =>
    value === undefined ? [] : [{ type, value }];
  const at = (type: number, all: readonly (Message["mapped"] & {})[]): readonly Attribute[] =>
    all.map((address) => ({ type, address }));
  const { method: asked, class: kind, transactionId, hasFingerprint: fingerprint, integrityAt } = message;
  // Others have no form of their own: a class has three bits, and a number two digits (RFC 8489 §14.8).
  const hasCode = message.error !== undefined && message.error.code >= 300 && message.error.code < 700;
  const first = <T>(all: readonly T[]): readonly T[] => all.slice(0, 1);
  return {
    method: asked,
    class: kind,
    transactionId,
    attributes: [
      ...text(attribute.username, message.username),
      ...text(attribute.realm, message.realm),
      ...text(attribute.nonce, message.nonce),
      ...number(attribute.lifetime, message.lifetime),
      ...number(attribute.channelNumber, message.channelNumber, 0x10000),
      ...number(attribute.requestedTransport, message.requestedTransport, 0x1000000),
      ...(hasCode ? [{ type: attribute.errorCode, code: message.error.code }] : []),
      ...bytes(attribute.data, message.data),
      ...bytes(attribute.reservationToken, message.reservationToken),
      ...at(attribute.xorPeerAddress, first(message.peers)),
      ...at(attribute.xorRelayedAddress, first(message.relayed)),
      ...(message.mapped === undefined ? [] : at(attribute.xorMappedAddress, [message.mapped])),
      ...at(attribute.xorPeerAddress, message.peers.slice(1)),
      ...at(attribute.xorRelayedAddress, message.relayed.slice(1)),
      ...(message.connectionId === undefined
        ? []
        : [{ type: attribute.connectionId, raw: connectionIdValue(message.connectionId) }]),
    ],
    ...(integrityAt === undefined ? {} : { key }),
    fingerprint,
  };
};

/** How the codecs disagree about how to write `out`. */
export const writeDifference = (out: Outgoing): string | undefined => {
  const [a, b] = [theirs.encode(out), encode(out)];
  return a.equals(b) ? undefined : `${a.toString("hex")} by the package, ${b.toString("hex")} by the relay`;
};

/** The next message, tried both ways. */
export const compareOnce = (random: Random): { readonly bytes: Buffer; readonly difference: string | undefined } => {
  if (random() < 0.25) {
    const out = outgoingFrom(random);
    const bytes = encode(out);
    return { bytes, difference: writeDifference(out) ?? readDifference(bytes) };
  }
  const bytes = bytesOf(random);
  return { bytes, difference: readDifference(bytes) };
};
