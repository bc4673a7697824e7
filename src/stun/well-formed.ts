/** Which values an attribute may have, by its type. Readers of values rely on this and do not check again. */
import { addressFamily, attribute, discoveryAttribute, draftAdditionalAddressFamily } from "./attributes.ts";

/** Attributes of RFC 8445 and of clients in the field: the relay knows only their format. */
const other = {
  ...discoveryAttribute,
  draftXorMappedAddress: 0x8020,
  nomination: 0xc001,
  networkInfo: 0xc057,
  retransmitCount: 0xff00,
} as const;

/** RFC 8489 §14.3. */
const maxUsernameBytes = 513;
/** RFC 8489 §14.8 to §14.10. */
const maxTextBytes = 763;

const isAddressLength = (length: number): boolean => length === 8 || length === 20;
const isErrorLength = (length: number): boolean => length >= 4 && length <= 4 + maxTextBytes;
const isTextLength = (length: number): boolean => length > 0 && length <= maxTextBytes;

const lengthIsValid = (type: number, length: number): boolean => {
  switch (type) {
    case attribute.mappedAddress:
    case attribute.xorPeerAddress:
    case attribute.xorRelayedAddress:
    case attribute.xorMappedAddress:
    case attribute.alternateServer:
    case other.draftXorMappedAddress:
    case other.responseOrigin:
    case other.otherAddress:
      return isAddressLength(length);
    case attribute.channelNumber:
    case attribute.lifetime:
    case attribute.requestedAddressFamily:
    case attribute.additionalAddressFamily:
    case draftAdditionalAddressFamily:
    case attribute.requestedTransport:
    case attribute.connectionId:
    case attribute.priority:
    case other.changeRequest:
    case other.nomination:
    case other.networkInfo:
    case other.retransmitCount:
      return length === 4;
    case attribute.errorCode:
    case attribute.addressErrorCode:
      return isErrorLength(length);
    case attribute.unknownAttributes:
      return length % 2 === 0;
    case attribute.username:
      return length > 0 && length <= maxUsernameBytes;
    case attribute.realm:
    case attribute.nonce:
      return isTextLength(length);
    case attribute.messageIntegrity:
      return length === 20;
    case attribute.evenPort:
      return length === 1;
    case attribute.dontFragment:
      return length === 0;
    case attribute.reservationToken:
      return length === 8;
    case other.responsePort:
      return length === 2 || length === 4;
    default:
      return true;
  }
};

/** Attributes that contain the family of their address. */
const namesFamily = (type: number): boolean =>
  type === attribute.mappedAddress ||
  type === attribute.xorPeerAddress ||
  type === attribute.xorRelayedAddress ||
  type === attribute.xorMappedAddress ||
  type === attribute.alternateServer ||
  type === other.responseOrigin ||
  type === other.otherAddress;

/** What is wrong with the value of `length` bytes at `at`, which is within `bytes`; `undefined` if it is well-formed. */
export const faultOf = (
  bytes: Buffer,
  type: number,
  at: number,
  length: number,
): "attribute-length" | "address-family" | undefined => {
  if (!lengthIsValid(type, length)) return "attribute-length";
  if (!namesFamily(type)) return undefined;
  return bytes[at + 1] === (length === 8 ? addressFamily.ipv4 : addressFamily.ipv6) ? undefined : "address-family";
};
