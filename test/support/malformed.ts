/** Datagrams and streams that no client should send, from a seed, so that a failure can be repeated. */
import { randomBytes } from "node:crypto";
import { HmacSha1 } from "../../src/stun/hmac-sha1.ts";
import { attribute } from "../../src/stun/attributes.ts";
import { encode } from "../../src/turn-client/codec.ts";
import { method, type Attribute } from "../../src/stun/message.ts";

/** Mulberry32: numbers from 0 to 1, the same for the same seed. */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
};

const peer = { type: attribute.xorPeerAddress, address: { address: "127.0.0.1", port: 9 } };
const credentials: readonly Attribute[] = [
  { type: attribute.username, value: "user-1" },
  { type: attribute.realm, value: "stunner.l7mp.io" },
  { type: attribute.nonce, value: "AAAAAAAAAAAAAAAA" },
];
const key = new HmacSha1(randomBytes(16));

const message = (number: number, attributes: readonly Attribute[], signed = false): Buffer =>
  encode({
    method: number,
    class: "request",
    transactionId: randomBytes(12),
    attributes: signed ? [...attributes, ...credentials] : attributes,
    ...(signed ? { key } : {}),
  });

/** Well-formed requests to damage. */
export const wellFormed: readonly Buffer[] = [
  message(method.binding, []),
  message(method.allocate, [{ type: attribute.requestedTransport, value: 17 * 0x1000000 }]),
  message(method.allocate, [{ type: attribute.requestedTransport, value: 17 * 0x1000000 }], true),
  message(method.refresh, [{ type: attribute.lifetime, value: 600 }], true),
  message(method.createPermission, [peer], true),
  message(method.channelBind, [{ type: attribute.channelNumber, value: 0x4000 * 0x10000 }, peer], true),
  encode({
    method: method.send,
    class: "indication",
    transactionId: randomBytes(12),
    attributes: [peer, { type: attribute.data, value: Buffer.from("data") }],
  }),
  Buffer.from([0x40, 0x00, 0x00, 0x04, 1, 2, 3, 4]),
];

/** One malformed datagram. */
export const malformed = (random: () => number): Buffer => {
  const below = (n: number): number => Math.floor(random() * n);
  const bytes = Buffer.from(wellFormed[below(wellFormed.length)] ?? wellFormed[0]!);
  switch (below(8)) {
    case 0:
      return bytes.subarray(0, below(bytes.length));
    case 1: {
      for (let flips = 1 + below(8); flips > 0; flips -= 1) {
        const at = below(bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
      }
      return bytes;
    }
    case 2:
      // A length that lies.
      if (bytes.length >= 4) bytes.writeUInt16BE(below(65_536), 2);
      return bytes;
    case 3:
      // An attribute whose length lies.
      if (bytes.length >= 24) bytes.writeUInt16BE(below(65_536), 22);
      return bytes;
    case 4:
      return Buffer.concat([bytes, Buffer.alloc(below(64), below(256))]);
    case 5: {
      const noise = Buffer.alloc(1 + below(200));
      for (let i = 0; i < noise.length; i += 1) noise[i] = below(256);
      return noise;
    }
    case 6:
      // An attribute type that nobody knows, comprehension required or not.
      if (bytes.length >= 24) bytes.writeUInt16BE(below(65_536), 20);
      return bytes;
    default:
      // Channel data for channels that nobody bound.
      return Buffer.concat([
        Buffer.from([0x40 + below(0x40), below(256), below(256), below(256)]),
        Buffer.alloc(below(100)),
      ]);
  }
};
