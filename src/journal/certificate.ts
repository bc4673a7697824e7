/** The validity of a certificate and its key, described without quoting them. */
import { epochMsOf } from "../resources/time.ts";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { CertificateProblem, CertificateState } from "../resources/core.ts";

const BLOCK = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const ANY_USAGE = "2.5.29.37.0";

/** The object identifier of the extension keyUsage, 2.5.29.15, in DER. */
const KEY_USAGE = Buffer.from([0x06, 0x03, 0x55, 0x1d, 0x0f]);
/** `critical`, TRUE, in DER. */
const CRITICAL = Buffer.from([0x01, 0x01, 0xff]);
/** digitalSignature, keyEncipherment, keyAgreement: RFC 5280 §4.2.1.3, from the highest bit on. */
const HANDSHAKE_BITS = 0b1010_1000;
const [OCTET_STRING, BIT_STRING] = [0x04, 0x03];

/** Whether the key may take part in a handshake; Node has no API for this. Without the extension it may. */
const mayShakeHands = (der: Buffer): boolean => {
  const found = der.indexOf(KEY_USAGE);
  if (found < 0) return true;
  const value = found + KEY_USAGE.length;
  const at = der.subarray(value, value + CRITICAL.length).equals(CRITICAL) ? value + CRITICAL.length : value;
  // OCTET STRING, its length, BIT STRING, its length, number of unused bits, bits.
  if (der[at] !== OCTET_STRING || der[at + 2] !== BIT_STRING) return true;
  return ((der[at + 5] ?? 0) & HANDSHAKE_BITS) !== 0;
};

const isForServers = ({ keyUsage }: X509Certificate): boolean =>
  // Node's `keyUsage` is the extension extKeyUsage; undefined if that is absent.
  (keyUsage as readonly string[] | undefined)?.some((one) => one === SERVER_AUTH || one === ANY_USAGE) ?? true;

const attempt = <T>(make: () => T): T | undefined => {
  try {
    return make();
  } catch {
    // Messages of OpenSSL may quote the input, and the rules only need to know that the certificate cannot be used.
    return undefined;
  }
};

/** Expiry is judged when the certificate is read: `runtime/certificate-clock.ts` handles the moments that pass later. */
export const validityAt = (
  { notBefore, notAfter }: Pick<CertificateState, "notBefore" | "notAfter">,
  nowMs: number,
): CertificateState["validity"] => {
  if (notAfter !== undefined && nowMs >= epochMsOf(notAfter)) return "expired";
  return notBefore !== undefined && nowMs < epochMsOf(notBefore) ? "not-yet-valid" : undefined;
};

/**
 * @param chain PEM; the first certificate is the server's.
 * @param keyPem the private key, if there is one.
 */
export const inspectCertificate = (chain: Buffer, keyPem: Buffer | undefined, nowMs: number): CertificateState => {
  const leaf = attempt(() => new X509Certificate(chain));
  if (leaf === undefined) return { parses: false };
  const dates = { notBefore: leaf.validFromDate.toISOString(), notAfter: leaf.validToDate.toISOString() };
  const validity = validityAt(dates, nowMs);
  const state = { parses: true, ...dates, ...(validity === undefined ? {} : { validity }) };
  if (keyPem === undefined) return state;
  const key = attempt(() => createPrivateKey(keyPem));
  if (key === undefined) return { ...state, problem: "key-unreadable" };
  if (!leaf.checkPrivateKey(key)) return { ...state, matchesKey: false, problem: "key-mismatch" };
  const problem = ((): CertificateProblem | undefined => {
    if (!isForServers(leaf)) return "not-for-servers";
    if (!mayShakeHands(leaf.raw)) return "not-for-handshakes";
    const blocks = chain.toString("latin1").match(BLOCK) ?? [];
    const isWhole = blocks.length > 0 && blocks.every((block) => attempt(() => new X509Certificate(block)));
    return isWhole && attempt(() => createSecureContext({ cert: chain, key: keyPem })) ? undefined : "unusable";
  })();
  return { ...state, matchesKey: true, ...(problem === undefined ? {} : { problem }) };
};
