/**
 * Forwards packets in both directions: ChannelData (RFC 8656 §12.4), Send and Data indications (§11). Data stays in place;
 * headers are written before it. Nothing here allocates.
 */
import { randomFillSync } from "node:crypto";
import { attribute, isUnknown, magicCookie, readXorAddress } from "../../stun/attributes.ts";
import type { Flow, PeerFlow } from "../flows.ts";

/** Maximum data in a Data indication with its other attributes: a STUN length has 16 bits. */
const maxIndicationBytes = 0xffff - 32;
const sendIndication = 0x0016;
const dataIndication = 0x0017;

/** Bytes that an engine keeps free before a peer's data, for headers. */
export const HEADROOM = 64;
/** Bytes that it keeps free after the data, for padding. */
export const TAILROOM = 4;

const u16 = (bytes: Buffer, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

const setU16 = (bytes: Buffer, at: number, value: number): void => {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value & 255;
};

/** Whether a Send indication starts at `start`. */
export const isSendIndication = (bytes: Buffer, start: number): boolean =>
  bytes[start] === 0 && bytes[start + 1] === sendIndication;

const toPeer = (flow: Flow, peer: PeerFlow, bytes: Buffer, start: number, end: number, dontFragment: boolean): void => {
  flow.fresh(peer);
  if (!peer.open) {
    flow.drops[peer.closedBecause]++;
    return;
  }
  const length = end - start;
  const over = flow.bandwidth?.take("in", length);
  if (over !== undefined) {
    flow.drops[over]++;
    return;
  }
  flow.traffic.packetsIn++;
  flow.traffic.bytesIn += length;
  flow.listener.packetsIn++;
  flow.listener.bytesIn += length;
  peer.cluster.packetsIn++;
  peer.cluster.bytesIn += length;
  peer.relay.send(bytes, start, end, peer, dontFragment);
};

/** A ChannelData message from the client. */
const channelDataIn = (flow: Flow, bytes: Buffer, start: number, end: number): void => {
  const length = end - start < 4 ? 0xffff : u16(bytes, start + 2);
  // Padding after the data is allowed over UDP too, RFC 8656 §12.5.
  if (start + 4 + length > end) {
    flow.drops["channel-data-length"]++;
    return;
  }
  const peer = flow.channels.get(u16(bytes, start))?.flow;
  if (peer === undefined) flow.drops["no-channel"]++;
  else toPeer(flow, peer, bytes, start + 4, start + 4 + length, false);
};

/** The peer of a Send indication that has no entry yet. */
const newPeerOf = (flow: Flow, bytes: Buffer, start: number, offset: number, length: number): PeerFlow | undefined => {
  const { address, port } = readXorAddress(bytes.subarray(start), offset - start, length);
  return flow.peer(address, port);
};

/**
 * A Send indication from the client. A malformed or unknown one is dropped without an answer (RFC 8656 §11.2, RFC 8489
 * §6.3.2). Of repeated attributes the first counts (RFC 8489 §14); what follows MESSAGE-INTEGRITY is ignored (§14.5).
 */
const sendIndicationIn = (flow: Flow, bytes: Buffer, start: number, end: number): void => {
  const length = end - start;
  if (length < 20 || u16(bytes, start + 2) + 20 !== length || length % 4 !== 0 || !hasCookie(bytes, start)) {
    flow.drops["not-stun"]++;
    return;
  }
  let addressAt = 0;
  let addressLength = 0;
  let dataAt = 0;
  let dataLength = 0;
  let dontFragment = false;
  for (let offset = start + 20; offset < end;) {
    const type = u16(bytes, offset);
    const size = u16(bytes, offset + 2);
    if (offset + 4 + size > end) {
      flow.drops["send-indication"]++;
      return;
    }
    if (type === attribute.messageIntegrity || type === attribute.messageIntegritySha256) break;
    if (type === attribute.xorPeerAddress && addressAt === 0) {
      addressAt = offset + 4;
      addressLength = size;
    } else if (type === attribute.data && dataAt === 0) {
      dataAt = offset + 4;
      dataLength = size;
    } else if (type === attribute.dontFragment) dontFragment = true;
    else if (isUnknown(type)) {
      flow.drops["send-attributes"]++;
      return;
    }
    offset += 4 + ((size + 3) & ~3);
  }
  // RFC 8656 §11.2: a server that cannot set the DF bit treats the attribute as unknown, and does not relay the indication.
  if (dontFragment && !flow.canSetDontFragment) {
    flow.drops["dont-fragment"]++;
    return;
  }
  const family = addressLength === 8 ? 1 : 2;
  if (
    addressAt === 0 ||
    dataAt === 0 ||
    (addressLength !== 8 && addressLength !== 20) ||
    bytes[addressAt + 1] !== family
  ) {
    flow.drops["send-indication"]++;
    return;
  }
  const port = u16(bytes, addressAt + 2) ^ (magicCookie >>> 16);
  const peer =
    flow.peerByBytes(bytes, addressAt + 4, start + 4, addressLength - 4, port) ??
    newPeerOf(flow, bytes, start, addressAt, addressLength);
  if (peer === undefined) flow.drops["no-permission"]++;
  else toPeer(flow, peer, bytes, dataAt, dataAt + dataLength, dontFragment);
};

const hasCookie = (bytes: Buffer, start: number): boolean =>
  u16(bytes, start + 4) === magicCookie >>> 16 && u16(bytes, start + 6) === (magicCookie & 0xffff);

/** Forwards media from a client; false if `bytes` are something else. */
export const fromClient = (flow: Flow, bytes: Buffer, start: number, end: number): boolean => {
  const first = bytes[start] ?? 0xff;
  if (first >= 0x40 && first < 0x80) channelDataIn(flow, bytes, start, end);
  else if (isSendIndication(bytes, start)) sendIndicationIn(flow, bytes, start, end);
  else return false;
  flow.arrived?.();
  return true;
};

const randomPool = Buffer.alloc(12 * 256);
let randomAt = randomPool.length;

/** Writes a Data indication (RFC 8656 §11.3) around the data from `start` to `end`; returns where the indication starts. */
const writeDataIndication = (bytes: Buffer, start: number, end: number, peer: PeerFlow): number => {
  const addressBytes = peer.bytes.length;
  const at = start - (32 + addressBytes);
  const padded = (end - start + 3) & ~3;
  if (randomAt === randomPool.length) {
    randomFillSync(randomPool);
    randomAt = 0;
  }
  setU16(bytes, at, dataIndication);
  setU16(bytes, at + 2, 12 + addressBytes + padded);
  setU16(bytes, at + 4, magicCookie >>> 16);
  setU16(bytes, at + 6, magicCookie & 0xffff);
  for (let index = 0; index < 12; index++) bytes[at + 8 + index] = randomPool[randomAt + index] ?? 0;
  randomAt += 12;
  setU16(bytes, at + 20, attribute.xorPeerAddress);
  setU16(bytes, at + 22, 4 + addressBytes);
  setU16(bytes, at + 24, addressBytes === 4 ? 1 : 2);
  setU16(bytes, at + 26, peer.port ^ (magicCookie >>> 16));
  for (let index = 0; index < addressBytes; index++)
    bytes[at + 28 + index] = (peer.bytes[index] ?? 0) ^ (bytes[at + 4 + index] ?? 0);
  setU16(bytes, start - 4, attribute.data);
  setU16(bytes, start - 2, end - start);
  for (let index = end; index < start + padded; index++) bytes[index] = 0;
  return at;
};

/**
 * A datagram that a peer sent to the relayed transport address: bytes `start` to `end`, with `HEADROOM` free bytes before
 * and `TAILROOM` free bytes after. `peer` is undefined for an unknown peer.
 */
export const peerDataOut = (
  flow: Flow,
  peer: PeerFlow | undefined,
  bytes: Buffer,
  start: number,
  end: number,
): void => {
  if (peer === undefined || !peer.open) {
    flow.drops[peer?.closedBecause ?? "no-permission"]++;
    return;
  }
  const length = end - start;
  const over = flow.bandwidth?.take("out", length);
  if (over !== undefined) {
    flow.drops[over]++;
    return;
  }
  let from: number;
  let to = end;
  if (peer.channel === 0) {
    if (length > maxIndicationBytes) {
      flow.drops["too-long"]++;
      return;
    }
    from = writeDataIndication(bytes, start, end, peer);
    to = start + ((length + 3) & ~3);
  } else {
    from = start - 4;
    setU16(bytes, from, peer.channel);
    setU16(bytes, from + 2, length);
    // Padded to four bytes over a stream, RFC 8656 §12.5; clients treat DTLS as a stream, too.
    if (flow.path.protocol !== "udp") for (; (to - start) % 4 !== 0; to++) bytes[to] = 0;
  }
  if (!flow.path.send(bytes, from, to, true)) {
    flow.drops["client-backlog"]++;
    return;
  }
  flow.traffic.packetsOut++;
  flow.traffic.bytesOut += length;
  flow.listener.packetsOut++;
  flow.listener.bytesOut += length;
  peer.cluster.packetsOut++;
  peer.cluster.bytesOut += length;
};
