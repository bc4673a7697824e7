/** Credentials for a gateway that authenticates with a shared secret. */
import { ephemeralPassword } from "../stun/ephemeral.ts";

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Valid for `ttlSeconds` from `now` (milliseconds since the epoch). */
export const ephemeralCredentials = (
  secret: string,
  userId: string,
  ttlSeconds: number,
  now: number = Date.now(),
): Credentials => {
  const username = `${Math.floor(now / 1000) + ttlSeconds}:${userId}`;
  return { username, password: ephemeralPassword(secret, username) };
};
