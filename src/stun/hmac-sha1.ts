/**
 * HMAC-SHA1 (RFC 2104, FIPS 180-4), for MESSAGE-INTEGRITY. For messages of a few hundred bytes an HMAC object of
 * node:crypto costs twice as much, nearly all of it for setup; here the state after the key is computed once, and no
 * message allocates.
 */
import { createHash } from "node:crypto";

const BLOCK = 64;
const WORDS = 5;
export const DIGEST_BYTES = 20;

const INITIAL = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
const schedule = new Int32Array(80);
const state = new Int32Array(WORDS);
/** The end of a message, padded. */
const tail = new Uint8Array(2 * BLOCK);

/** Hashes the 64 bytes at `at` into `state`. The four loops are the four functions of FIPS 180-4 §6.1.2. */
const compress = (bytes: Uint8Array, at: number): void => {
  const w = schedule;
  for (let t = 0; t < 16; t++, at += 4)
    w[t] = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
  for (let t = 16; t < 80; t++) {
    const x = (w[t - 3] ?? 0) ^ (w[t - 8] ?? 0) ^ (w[t - 14] ?? 0) ^ (w[t - 16] ?? 0);
    w[t] = (x << 1) | (x >>> 31);
  }
  let a = state[0] ?? 0;
  let b = state[1] ?? 0;
  let c = state[2] ?? 0;
  let d = state[3] ?? 0;
  let e = state[4] ?? 0;
  let next = 0;
  for (let t = 0; t < 20; t++) {
    next = (((a << 5) | (a >>> 27)) + ((b & c) | (~b & d)) + e + 0x5a827999 + (w[t] ?? 0)) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  for (let t = 20; t < 40; t++) {
    next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0x6ed9eba1 + (w[t] ?? 0)) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  for (let t = 40; t < 60; t++) {
    next = (((a << 5) | (a >>> 27)) + ((b & c) | (b & d) | (c & d)) + e - 0x70e44324 + (w[t] ?? 0)) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  for (let t = 60; t < 80; t++) {
    next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e - 0x359d3e2a + (w[t] ?? 0)) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  state[0] = (state[0] ?? 0) + a;
  state[1] = (state[1] ?? 0) + b;
  state[2] = (state[2] ?? 0) + c;
  state[3] = (state[3] ?? 0) + d;
  state[4] = (state[4] ?? 0) + e;
};

/** Hashes bytes `start` to `end` into `state`, after `before` bytes, a multiple of 64, and finishes the digest. */
const finish = (bytes: Uint8Array, start: number, end: number, before: number): void => {
  let at = start;
  for (; at + BLOCK <= end; at += BLOCK) compress(bytes, at);
  let length = 0;
  while (at < end) tail[length++] = bytes[at++] ?? 0;
  tail[length++] = 0x80;
  const padded = length + 8 <= BLOCK ? BLOCK : 2 * BLOCK;
  tail.fill(0, length, padded);
  const bits = (before + end - start) * 8;
  for (let index = 0; index < 4; index++) tail[padded - 1 - index] = bits >>> (8 * index);
  compress(tail, 0);
  if (padded > BLOCK) compress(tail, BLOCK);
};

/** `state` after the block of `key` with every byte XORed. */
const stateAfter = (key: Uint8Array, pad: number): Int32Array => {
  const block = new Uint8Array(BLOCK).map((_, index) => (key[index] ?? 0) ^ pad);
  state.set(INITIAL);
  compress(block, 0);
  return state.slice();
};

export class HmacSha1 {
  readonly #inner: Int32Array;
  readonly #outer: Int32Array;

  /** @param key of any length. */
  constructor(key: Uint8Array) {
    const short = key.length > BLOCK ? createHash("sha1").update(key).digest() : key;
    this.#inner = stateAfter(short, 0x36);
    this.#outer = stateAfter(short, 0x5c);
  }

  /** Leaves the digest of bytes `start` to `end` in `state`. */
  #digest(bytes: Uint8Array, start: number, end: number): void {
    state.set(this.#inner);
    finish(bytes, start, end, BLOCK);
    for (let word = 0; word < WORDS; word++) setWord(innerDigest, 4 * word, state[word] ?? 0);
    state.set(this.#outer);
    finish(innerDigest, 0, DIGEST_BYTES, BLOCK);
  }

  /** Writes the HMAC of bytes `start` to `end` to the 20 bytes of `target` at `at`. */
  sign(bytes: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
    this.#digest(bytes, start, end);
    for (let word = 0; word < WORDS; word++) setWord(target, at + 4 * word, state[word] ?? 0);
  }

  /**
   * Whether the `count` bytes of `given` at `at` are the first bytes of the HMAC of bytes `start` to `end`; in constant
   * time.
   */
  matches(bytes: Uint8Array, start: number, end: number, given: Uint8Array, at: number, count = DIGEST_BYTES): boolean {
    this.#digest(bytes, start, end);
    let difference = 0;
    for (let index = 0; index < count; index++)
      difference |= (((state[index >> 2] ?? 0) >>> (24 - 8 * (index & 3))) & 255) ^ (given[at + index] ?? -1);
    return difference === 0;
  }
}

const innerDigest = new Uint8Array(DIGEST_BYTES);

const setWord = (bytes: Uint8Array, at: number, word: number): void => {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
};
