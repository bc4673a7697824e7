/** The long-term credential mechanism, RFC 8489 §9.2.4. */
import type { RefusalCode } from "../../reasons.ts";
import type { Owner } from "../allocation.ts";
import type { Message } from "../../stun/message.ts";
import { integrityIsValid, type IntegrityKey } from "../../stun/integrity.ts";
import { chosenAlgorithm, integrityKey } from "../../stun/password-algorithms.ts";
import type { Nonces } from "./nonce.ts";
import type { AuthPolicy, Credential } from "./policy.ts";

export type Authentication =
  | { readonly ok: true; readonly who: Owner; readonly key: IntegrityKey }
  /** 401 and 438 carry a fresh NONCE and REALM. */
  | { readonly ok: false; readonly code: RefusalCode };

export interface Challenge {
  readonly policy: AuthPolicy;
  /** Users who have valid credentials, and may not use them. */
  readonly isBlocked: (userId: string) => boolean;
  readonly nonces: Nonces;
  /** The client's address. */
  readonly client: string;
  /** Identifies the client: its five-tuple. */
  readonly path: string;
  /** Who owns the allocation on this five-tuple; undefined if there is none. */
  readonly owner: Owner | undefined;
  /** Milliseconds of the monotonic clock, for the age of nonces. */
  readonly now: number;
  /** Milliseconds since the epoch, for the expiry of credentials. */
  readonly wallNow: number;
}

const refuse = (code: RefusalCode): Authentication => ({ ok: false, code });

/**
 * Authenticates the sender of `message`. The active credentials are accepted, and on an allocation also those that it was
 * made with: rotated credentials, a new realm or an expired username must not end an ongoing call. They cannot make a new
 * allocation.
 */
export const authenticate = (message: Message, challenge: Challenge): Authentication => {
  const { policy, isBlocked, nonces, client, path, owner, now, wallNow } = challenge;
  const { integrityAt, username, realm, nonce } = message;
  if (policy.type === "none" && owner === undefined) return refuse("403 stun-only");
  const sha256At = nonces.offersAlgorithms ? message.integritySha256At : undefined;
  const signedAt = sha256At ?? integrityAt;
  if (signedAt === undefined) return refuse("401 challenge");
  if (username === undefined || realm === undefined || nonce === undefined) return refuse("400 missing-credentials");
  if (!nonces.isFresh(nonce, client, now)) return refuse("438 stale-nonce");
  const algorithm = nonces.offersAlgorithms ? chosenAlgorithm(message) : "md5";
  if (algorithm === undefined) return refuse("400 password-algorithm");
  if (realm !== policy.realm && realm !== owner?.realm) return refuse("401 realm");
  const attempt = (userId: string, account: string, password: string): Authentication | undefined => {
    const key = integrityKey(sha256At === undefined ? "sha1" : "sha256", algorithm, username, realm, password);
    return integrityIsValid(message.bytes, signedAt, key)
      ? { ok: true, who: { username, userId, account, realm, password }, key }
      : undefined;
  };
  /** Clients whose credentials name no user are not one user: each client is an account. */
  const byCredential = ({ user, password }: Credential): Authentication | undefined =>
    user === undefined ? attempt(username, `client ${path}`, password) : attempt(user, `user ${user}`, password);
  for (const credential of policy.credentials(username, wallNow)) {
    const outcome = byCredential(credential);
    if (outcome !== undefined) return outcome.ok && isBlocked(outcome.who.userId) ? refuse("403 blocked") : outcome;
  }
  return (
    (owner?.username === username ? attempt(owner.userId, owner.account, owner.password) : undefined) ??
    refuse("401 credentials")
  );
};
