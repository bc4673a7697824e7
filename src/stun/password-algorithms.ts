/** Password algorithms (RFC 8489 §18.5): how clients derive the key of their credentials. */
import { hash } from "node:crypto";
import { HmacSha1 } from "./hmac-sha1.ts";
import { HmacSha256 } from "./hmac-sha256.ts";
import { longTermKey, type IntegrityKey } from "./integrity.ts";
import type { Message } from "./message.ts";

export type PasswordAlgorithm = "md5" | "sha256";

/** Numbers of the algorithms. Neither has parameters. */
const numbers: Readonly<Record<PasswordAlgorithm, number>> = { md5: 1, sha256: 2 };

const entryOf = (algorithm: PasswordAlgorithm): readonly number[] => [0, numbers[algorithm], 0, 0];

/** PASSWORD-ALGORITHMS of challenges (RFC 8489 §14.11): the preferred algorithm first. */
export const offeredAlgorithms = Buffer.from([...entryOf("sha256"), ...entryOf("md5")]);

const algorithms = ["md5", "sha256"] as const;

/**
 * The algorithm of a request after a challenge that offered some, RFC 8489 §9.2.4. Undefined if the client chose another, or
 * does not repeat the offer: somebody between may have changed it (bid-down attack).
 */
export const chosenAlgorithm = ({ passwordAlgorithm, passwordAlgorithms }: Message): PasswordAlgorithm | undefined => {
  // A client of RFC 5389.
  if (passwordAlgorithm === undefined && passwordAlgorithms === undefined) return "md5";
  if (passwordAlgorithm === undefined || passwordAlgorithms?.equals(offeredAlgorithms) !== true) return undefined;
  return algorithms.find((algorithm) => passwordAlgorithm.equals(Buffer.from(entryOf(algorithm))));
};

/** The key of `algorithm` (RFC 8489 §9.2.2), for MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256. */
export const integrityKey = (
  signature: "sha1" | "sha256",
  algorithm: PasswordAlgorithm,
  username: string,
  realm: string,
  password: string,
): IntegrityKey => {
  if (signature === "sha1" && algorithm === "md5") return longTermKey(username, realm, password);
  const key = hash(algorithm, `${username}:${realm}:${password}`, "buffer");
  return signature === "sha1" ? new HmacSha1(key) : new HmacSha256(key);
};
