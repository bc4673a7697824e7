/** Where the values of a message start, for attributes that are read. */
import { attribute, draftAdditionalAddressFamily, isUnknown } from "./attributes.ts";
import { nowhere } from "./values.ts";

/** Numbers in one object with a fixed shape: one is made for every message that arrives. */
export class Offsets {
  username = nowhere;
  realm = nowhere;
  nonce = nowhere;
  data = nowhere;
  lifetime = nowhere;
  channelNumber = nowhere;
  requestedTransport = nowhere;
  requestedFamily = nowhere;
  additionalFamily = nowhere;
  evenPort = nowhere;
  reservationToken = nowhere;
  dontFragment = nowhere;
  connectionId = nowhere;
  peer = nowhere;
  relayed = nowhere;
  mapped = nowhere;
  alternateServer = nowhere;
  error = nowhere;
  addressError = nowhere;
  /** Whether there is an unknown comprehension-required attribute. */
  hasUnknown = false;

  /** Records a value that starts at `at`. Of a repeated type the first counts (RFC 8489 §14). */
  note(type: number, at: number): void {
    switch (type) {
      case attribute.username:
        this.username ||= at;
        break;
      case attribute.realm:
        this.realm ||= at;
        break;
      case attribute.nonce:
        this.nonce ||= at;
        break;
      case attribute.data:
        this.data ||= at;
        break;
      case attribute.lifetime:
        this.lifetime ||= at;
        break;
      case attribute.channelNumber:
        this.channelNumber ||= at;
        break;
      case attribute.requestedTransport:
        this.requestedTransport ||= at;
        break;
      case attribute.requestedAddressFamily:
        this.requestedFamily ||= at;
        break;
      case attribute.additionalAddressFamily:
      case draftAdditionalAddressFamily:
        this.additionalFamily ||= at;
        break;
      case attribute.evenPort:
        this.evenPort ||= at;
        break;
      case attribute.reservationToken:
        this.reservationToken ||= at;
        break;
      case attribute.dontFragment:
        this.dontFragment ||= at;
        break;
      case attribute.connectionId:
        this.connectionId ||= at;
        break;
      case attribute.xorPeerAddress:
        this.peer ||= at;
        break;
      case attribute.xorRelayedAddress:
        this.relayed ||= at;
        break;
      case attribute.xorMappedAddress:
        this.mapped ||= at;
        break;
      case attribute.alternateServer:
        this.alternateServer ||= at;
        break;
      case attribute.errorCode:
        this.error ||= at;
        break;
      case attribute.addressErrorCode:
        this.addressError ||= at;
        break;
      default:
        this.hasUnknown ||= isUnknown(type);
    }
  }
}
