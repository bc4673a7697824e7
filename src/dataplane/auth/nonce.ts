/**
 * Stateless nonces: the minute they were made and a proof, 12 bytes as 16 characters, so that a challenge stays small.
 * They are bound to the client's address and good for an hour.
 */
import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from "node:crypto";

const lifetimeMinutes = 60;
const wrap = 0x1000000;

export interface Nonces {
  /** `now` in milliseconds of a clock that does not step. */
  issue(client: string, now: number): string;
  isFresh(nonce: string, client: string, now: number): boolean;
}

export const createNonces = (key: Uint8Array = randomBytes(32)): Nonces => {
  // Made once: it is most of the cost of an HMAC of so few bytes.
  const secret = createSecretKey(key);
  const make = (minute: number, client: string): Buffer => {
    const bytes = Buffer.allocUnsafe(12);
    bytes.writeUIntBE(minute, 0, 3);
    createHmac("sha256", secret).update(bytes.subarray(0, 3)).update(client).digest().copy(bytes, 3, 0, 9);
    return bytes;
  };
  const minuteOf = (now: number): number => Math.floor(now / 60_000) % wrap;
  return {
    issue: (client, now) => make(minuteOf(now), client).toString("base64url"),
    isFresh: (nonce, client, now) => {
      if (nonce.length !== 16) return false;
      const bytes = Buffer.from(nonce, "base64url");
      if (bytes.length !== 12) return false;
      const minute = bytes.readUIntBE(0, 3);
      const age = (minuteOf(now) - minute + wrap) % wrap;
      return timingSafeEqual(make(minute, client), bytes) && age <= lifetimeMinutes;
    },
  };
};
