/**
 * STUN messages as the relay receives them. One pass validates all bounds, and records where the values start; a value is
 * decoded when it is read.
 *
 * A message reads from its input bytes for its whole life, also after an `await`. It owns them: the caller of `decode` must
 * not write to them afterwards. Engines pass a copy of memory that they receive into again, and streams pass frames of a
 * chunk that is not reused. Buffers among the values are views of these bytes; code that keeps them longer than the request
 * copies them.
 */
import type { TransportAddress } from "../net/address.ts";
import type { DropCode } from "../reasons.ts";
import { attribute, discoveryAttribute, isUnknown } from "./attributes.ts";
import { fingerprintIsValid } from "./integrity.ts";
import { classes, messageLength, type Message, type MessageClass, type Undecodable } from "./message.ts";
import { Offsets } from "./offsets.ts";
import {
  addressAt,
  bytesAt,
  errorCodeAt,
  lengthAt,
  nowhere,
  textAt,
  u16,
  u16At,
  u32At,
  u8At,
  xorAddressAt,
} from "./values.ts";
import { faultOf } from "./well-formed.ts";

const maxAttributes = 64;
const headerBytes = 20;
const none: readonly never[] = [];

type Fault = "attribute-bounds" | "attribute-count" | "attribute-length" | "fingerprint" | "fingerprint-place";
type Rejection = "attribute-length" | "address-family";

/** Where the attribute after the one at `at` starts. */
const after = (bytes: Buffer, at: number): number => at + 4 + ((u16(bytes, at + 2) + 3) & ~3);

/** A message with well-formed attributes. */
export class ReceivedMessage implements Message {
  readonly kind = "message";
  readonly bytes: Buffer;
  readonly #type: number;
  integrityAt: number | undefined = undefined;
  integritySha256At: number | undefined = undefined;
  hasFingerprint = false;
  /** The end of the attributes that count: where the first signature or FINGERPRINT starts, or the end of the message. */
  #end: number;
  /** What is wrong with the first malformed attribute. */
  #rejection: Rejection | undefined = undefined;
  readonly #at = new Offsets();

  private constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.#type = u16(bytes, 0);
    this.#end = bytes.length;
  }

  /** Reads one datagram or frame. Never throws. */
  static decode(bytes: Buffer): ReceivedMessage | Undecodable {
    if (bytes.length < headerBytes) return drops.short;
    if (messageLength(bytes) !== bytes.length) return drops.header;
    const message = new ReceivedMessage(bytes);
    const fault = message.#walk();
    if (fault !== undefined) return drops[fault];
    const rejection = message.#rejection;
    if (rejection === undefined) return message;
    if (message.class !== "request") return drops[rejection];
    const { method, transactionId } = message;
    return { kind: "reject", code: `400 ${rejection}`, method, transactionId };
  }

  /** Bounds come first: no answer is sent unless the last attribute is within the message. */
  #walk(): Fault | undefined {
    const { bytes } = this;
    let count = 0;
    // The length is a multiple of four, and so is every offset: there is room for a type and a length.
    for (let at = headerBytes; at < bytes.length;) {
      if (++count > maxAttributes) return "attribute-count";
      const type = u16(bytes, at);
      const length = u16(bytes, at + 2);
      const next = at + 4 + ((length + 3) & ~3);
      if (next > bytes.length) return "attribute-bounds";
      if (type === attribute.fingerprint) {
        if (length !== 4 || next !== bytes.length) return "fingerprint-place";
        if (!fingerprintIsValid(bytes, at)) return "fingerprint";
        this.hasFingerprint = true;
        this.#end = Math.min(this.#end, at);
        return undefined;
      }
      if (type === attribute.messageIntegritySha256 && this.integritySha256At === undefined) {
        // RFC 8489 §14.6: it may be cut.
        if (length < 16 || length > 32 || length % 4 !== 0) return "attribute-length";
        this.integritySha256At = at;
        this.#end = Math.min(this.#end, at);
      }
      // RFC 8489 §14.5, §14.6: what follows a signature is ignored.
      if (this.#end === bytes.length) {
        if (type === attribute.messageIntegrity) {
          if (length !== 20) return "attribute-length";
          this.integrityAt = at;
          this.#end = at;
        } else {
          this.#rejection ??= faultOf(bytes, type, at + 4, length);
          this.#at.note(type, at + 4);
        }
      }
      at = next;
    }
    return undefined;
  }

  get method(): number {
    const type = this.#type;
    return (type & 0xf) | ((type & 0xe0) >> 1) | ((type & 0x3e00) >> 2);
  }

  get class(): MessageClass {
    return classes[((this.#type & 0x10) >> 4) | ((this.#type & 0x100) >> 7)] ?? "request";
  }

  get transactionId(): Buffer {
    return this.bytes.subarray(8, headerBytes);
  }

  get unknown(): readonly number[] {
    if (!this.#at.hasUnknown) return none;
    const types: number[] = [];
    for (let at = headerBytes; at < this.#end; at = after(this.bytes, at)) {
      const type = u16(this.bytes, at);
      if (isUnknown(type) && !types.includes(type)) types.push(type);
    }
    return types;
  }

  get username(): string | undefined {
    return textAt(this.bytes, this.#at.username);
  }

  get realm(): string | undefined {
    return textAt(this.bytes, this.#at.realm);
  }

  get nonce(): string | undefined {
    return textAt(this.bytes, this.#at.nonce);
  }

  get passwordAlgorithm(): Buffer | undefined {
    return this.#search(attribute.passwordAlgorithm);
  }

  get passwordAlgorithms(): Buffer | undefined {
    return this.#search(attribute.passwordAlgorithms);
  }

  get data(): Buffer | undefined {
    return bytesAt(this.bytes, this.#at.data);
  }

  get lifetime(): number | undefined {
    return u32At(this.bytes, this.#at.lifetime);
  }

  get channelNumber(): number | undefined {
    return u16At(this.bytes, this.#at.channelNumber);
  }

  get requestedTransport(): number | undefined {
    return u8At(this.bytes, this.#at.requestedTransport);
  }

  get requestedFamily(): number | undefined {
    return u8At(this.bytes, this.#at.requestedFamily);
  }

  get additionalFamily(): number | undefined {
    return u8At(this.bytes, this.#at.additionalFamily);
  }

  get evenPort(): boolean | undefined {
    return this.#at.evenPort === nowhere ? undefined : (this.bytes[this.#at.evenPort] ?? 0) >= 0x80;
  }

  get reservationToken(): Buffer | undefined {
    return bytesAt(this.bytes, this.#at.reservationToken);
  }

  get mobilityTicket(): Buffer | undefined {
    return this.#search(attribute.mobilityTicket);
  }

  get changeRequest(): number | undefined {
    return this.#search(discoveryAttribute.changeRequest)?.readUInt32BE(0);
  }

  get responsePort(): number | undefined {
    return this.#search(discoveryAttribute.responsePort)?.readUInt16BE(0);
  }

  get dontFragment(): boolean | undefined {
    return this.#at.dontFragment === nowhere ? undefined : true;
  }

  get connectionId(): number | undefined {
    return u32At(this.bytes, this.#at.connectionId);
  }

  get peers(): readonly TransportAddress[] {
    return this.#xorAddresses(attribute.xorPeerAddress, this.#at.peer);
  }

  get relayed(): readonly TransportAddress[] {
    return this.#xorAddresses(attribute.xorRelayedAddress, this.#at.relayed);
  }

  get mapped(): TransportAddress | undefined {
    return this.#at.mapped === nowhere ? undefined : xorAddressAt(this.bytes, this.#at.mapped);
  }

  get alternateServer(): TransportAddress | undefined {
    return this.#at.alternateServer === nowhere ? undefined : addressAt(this.bytes, this.#at.alternateServer);
  }

  get error(): { readonly code: number; readonly reason: string } | undefined {
    const at = this.#at.error;
    if (at === nowhere) return undefined;
    const reason = this.bytes.toString("utf8", at + 4, at + lengthAt(this.bytes, at));
    return { code: errorCodeAt(this.bytes, at), reason };
  }

  get addressError(): { readonly family: number; readonly code: number } | undefined {
    const at = this.#at.addressError;
    return at === nowhere ? undefined : { family: this.bytes[at] ?? 0, code: errorCodeAt(this.bytes, at) };
  }

  /** A view of the first value of `type`, which is rare enough that its offset is not recorded. */
  #search(type: number): Buffer | undefined {
    for (let at = headerBytes; at < this.#end; at = after(this.bytes, at))
      if (u16(this.bytes, at) === type) return bytesAt(this.bytes, at + 4);
    return undefined;
  }

  /** All attributes of `type`, the first of which has its value at `first`. */
  #xorAddresses(type: number, first: number): readonly TransportAddress[] {
    if (first === nowhere) return none;
    const addresses: TransportAddress[] = [];
    for (let at = first - 4; at < this.#end; at = after(this.bytes, at))
      if (u16(this.bytes, at) === type) addresses.push(xorAddressAt(this.bytes, at + 4));
    return addresses;
  }
}

const drop = (code: DropCode): Undecodable => ({ kind: "drop", code });

/** Created once: a flood of malformed messages causes no garbage collection. */
const drops = {
  short: drop("stun-short"),
  header: drop("stun-header"),
  "attribute-bounds": drop("stun-attribute-bounds"),
  "attribute-count": drop("stun-attribute-count"),
  "attribute-length": drop("stun-attribute-length"),
  "address-family": drop("stun-address-family"),
  fingerprint: drop("stun-fingerprint"),
  "fingerprint-place": drop("stun-fingerprint-place"),
} as const satisfies Record<Fault | Rejection | "short" | "header", Undecodable>;

export const decode = (bytes: Buffer): ReceivedMessage | Undecodable => ReceivedMessage.decode(bytes);
