/** HMAC-SHA256, for MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6). */
import { createHmac, timingSafeEqual } from "node:crypto";

export class HmacSha256 {
  readonly #key: Uint8Array;

  /** @param key of any length. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  #digest(bytes: Uint8Array, start: number, end: number): Buffer {
    return createHmac("sha256", this.#key).update(bytes.subarray(start, end)).digest();
  }

  /** Writes the HMAC of bytes `start` to `end` to the 32 bytes of `target` at `at`. */
  sign(bytes: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
    target.set(this.#digest(bytes, start, end), at);
  }

  /**
   * Whether the `count` bytes of `given` at `at` are the first bytes of the HMAC of bytes `start` to `end`; in constant
   * time.
   */
  matches(bytes: Uint8Array, start: number, end: number, given: Uint8Array, at: number, count: number): boolean {
    return timingSafeEqual(this.#digest(bytes, start, end).subarray(0, count), given.subarray(at, at + count));
  }
}
