/**
 * Stateless nonces: the minute of creation and a proof, 12 bytes as 16 characters, so that a challenge stays small. A nonce
 * is bound to the client's address and valid for an hour. If challenges offer password algorithms, a nonce cookie says so
 * (RFC 8489 §9.2): without it a client can tell that somebody removed the offer.
 */
import { randomBytes } from "node:crypto";
import { DIGEST_BYTES, HmacSha1 } from "../../stun/hmac-sha1.ts";

const lifetimeMinutes = 60;
const wrap = 0x1000000;

/** The nonce cookie with the feature "password algorithms", bit 0 of 24 from the right (RFC 8489 §18.1, erratum 6290). */
const COOKIE = `obMatJos2${Buffer.from([0, 0, 1]).toString("base64")}`;

export interface Nonces {
  /** Whether challenges offer password algorithms, and nonces begin with a cookie. */
  readonly offersAlgorithms: boolean;
  /** `now` in milliseconds of a clock that does not step. */
  issue(client: string, now: number): string;
  isFresh(nonce: string, client: string, now: number): boolean;
}

const MINUTE_BYTES = 3;
const PROOF_BYTES = 9;
/** Longer than the text of any address. */
const CLIENT_BYTES = 64;

export const createNonces = (key: Uint8Array = randomBytes(32), offersAlgorithms = false): Nonces => {
  const cookie = offersAlgorithms ? COOKIE : "";
  const hmac = new HmacSha1(key);
  const proven = Buffer.alloc(MINUTE_BYTES + CLIENT_BYTES);
  const proof = Buffer.alloc(DIGEST_BYTES);
  /** Writes the input of the proof, and returns its length. */
  const put = (minute: number, client: string): number => {
    proven.writeUIntBE(minute, 0, MINUTE_BYTES);
    return MINUTE_BYTES + proven.write(client, MINUTE_BYTES, "latin1");
  };
  const minuteOf = (now: number): number => Math.floor(now / 60_000) % wrap;
  return {
    offersAlgorithms,
    issue(client, now) {
      hmac.sign(proven, 0, put(minuteOf(now), client), proof, 0);
      const bytes = Buffer.allocUnsafe(MINUTE_BYTES + PROOF_BYTES);
      proven.copy(bytes, 0, 0, MINUTE_BYTES);
      proof.copy(bytes, MINUTE_BYTES, 0, PROOF_BYTES);
      return cookie + bytes.toString("base64url");
    },
    isFresh(nonce, client, now) {
      if (nonce.length !== cookie.length + 16 || !nonce.startsWith(cookie)) return false;
      const bytes = Buffer.from(nonce.slice(cookie.length), "base64url");
      if (bytes.length !== MINUTE_BYTES + PROOF_BYTES) return false;
      const minute = bytes.readUIntBE(0, MINUTE_BYTES);
      const age = (minuteOf(now) - minute + wrap) % wrap;
      return hmac.matches(proven, 0, put(minute, client), bytes, MINUTE_BYTES, PROOF_BYTES) && age <= lifetimeMinutes;
    },
  };
};
