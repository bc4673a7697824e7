/** Which protocol a client speaks: by the protocols that it offers in its ClientHello, or by the first bytes over TCP. */
import { magicCookie } from "../../stun/attributes.ts";

/** TURN (RFC 7443 §3), and STUN without allocations. */
export const turnProtocols = ["stun.turn", "stun.nat-discovery"] as const;
export type TurnProtocol = (typeof turnProtocols)[number];

/** The protocols of web servers; also the one by which certificate authorities check a name (RFC 8737 §3). */
const httpProtocols: ReadonlySet<string> = new Set(["h2", "http/1.1", "http/1.0", "http/0.9", "acme-tls/1"]);

/** The TURN protocol to agree on; a listener that answers only Binding requests does not offer `stun.turn`. */
export const turnProtocolOf = (offered: readonly string[], isStunOnly: boolean): TurnProtocol | undefined =>
  turnProtocols.find((protocol) => offered.includes(protocol) && !(isStunOnly && protocol === "stun.turn"));

/** Whether a client that offers these protocols wants a web server. */
export const isHttp = (offered: readonly string[]): boolean =>
  offered.some((protocol) => httpProtocols.has(protocol)) &&
  !turnProtocols.some((protocol) => offered.includes(protocol));

const COOKIE_AT = 4;
const cookie = Buffer.alloc(4);
cookie.writeUInt32BE(magicCookie);

/**
 * Whether a stream begins with a STUN message, as that of a TURN client does: its first two bits are zero, and it has the
 * magic cookie (RFC 8489 §5). `more` if that cannot be said yet.
 */
export const beginsWithStun = (bytes: Buffer): boolean | "more" => {
  if ((bytes[0] ?? 0) >= 0x40) return false;
  const known = bytes.subarray(COOKIE_AT, COOKIE_AT + cookie.length);
  if (known.compare(cookie, 0, known.length) !== 0) return false;
  return known.length === cookie.length || "more";
};
