/** Time-limited credentials: the username carries an expiry, the password is an HMAC of the username. */
import { createHmac } from "node:crypto";

/** Base64 of HMAC-SHA1 over the whole username. */
export const ephemeralPassword = (secret: string, username: string): string =>
  createHmac("sha1", secret).update(username).digest("base64");

/**
 * Seconds since the epoch: the first `:`-separated part of `username` that is a decimal integer. `undefined` when there
 * is none, or it is 0.
 */
export const expiryOf = (username: string): number | undefined => {
  const part = username.split(":").find((candidate) => /^[+-]?\d+$/.test(candidate));
  const expiry = Number(part);
  return part === undefined || expiry === 0 || !Number.isSafeInteger(expiry) ? undefined : expiry;
};

/** Who owns an allocation: the second part of `TIMESTAMP:USER`, else the whole username. */
export const userIdOf = (username: string): string => {
  const parts = username.split(":");
  const [first = "", second = ""] = parts;
  return parts.length === 2 && /^[+-]?\d+$/.test(first) ? second : username;
};
