/** Time-limited credentials: the username contains an expiry, the password is an HMAC of the username. */
import { createHmac } from "node:crypto";

/** Base64 of HMAC-SHA1 over the whole username. */
export const ephemeralPassword = (secret: string, username: string): string =>
  createHmac("sha1", secret).update(username).digest("base64");

export interface TimeWindow {
  /** Seconds since the epoch. */
  readonly expiry: number;
  /**
   * The owner of the credentials: the rest of the username before or after the expiry, including colons. Absent if there is
   * none.
   */
  readonly user?: string;
}

/**
 * The content of a time-limited username. The expiry is its first `:`-separated part that is a decimal integer;
 * `undefined` if there is none, or it is 0.
 *
 * @example
 * timeWindowOf("1599491771:@bob:example.org"); // { expiry: 1599491771, user: "@bob:example.org" }
 * timeWindowOf("carol:1599491771"); // { expiry: 1599491771, user: "carol" }
 * timeWindowOf("1599491771"); // { expiry: 1599491771 }
 */
export const timeWindowOf = (username: string): TimeWindow | undefined => {
  const parts = username.split(":");
  const at = parts.findIndex((part) => /^[+-]?\d+$/.test(part));
  const expiry = Number(parts[at]);
  if (at < 0 || expiry === 0 || !Number.isSafeInteger(expiry)) return undefined;
  const user = parts.toSpliced(at, 1).join(":");
  return { expiry, ...(user === "" ? {} : { user }) };
};
