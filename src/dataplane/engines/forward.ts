/**
 * Packets across, in both directions, for engines that have them as buffers: ChannelData (RFC 8656 §12.4), Send and
 * Data indications (§11).
 */
import { randomFillSync } from "node:crypto";
import { attribute, magicCookie, readXorAddress } from "../stun/attributes.ts";
import { messageLength } from "../stun/message.ts";
import type { Flow, PeerFlow } from "../flows.ts";

/** What fits a Data indication beside its other attributes: a STUN length has 16 bits. */
const maxIndicationBytes = 0xffff - 32;
const sendIndication = 0x0016;
const dataIndication = 0x0017;

/** Whether `bytes` start a Send indication. */
export const isSendIndication = (bytes: Buffer): boolean => bytes[0] === 0 && bytes[1] === sendIndication;

const toPeer = (flow: Flow, peer: PeerFlow, bytes: Buffer, start: number, end: number): void => {
  flow.fresh(peer);
  if (!peer.open) {
    flow.drops[peer.closedBecause]++;
    return;
  }
  const length = end - start;
  flow.traffic.packetsIn++;
  flow.traffic.bytesIn += length;
  flow.listener.packetsIn++;
  flow.listener.bytesIn += length;
  peer.relay.send(bytes, start, end, peer.address, peer.port);
};

/** A ChannelData message from the client. */
const channelDataIn = (flow: Flow, bytes: Buffer): void => {
  const length = bytes.length < 4 ? 0xffff : bytes.readUInt16BE(2);
  // Padding behind the data is allowed over UDP too, RFC 8656 §12.5.
  if (4 + length > bytes.length) {
    flow.drops["channel-data-length"]++;
    return;
  }
  const peer = flow.channels.get(bytes.readUInt16BE(0));
  if (peer === undefined) flow.drops["no-channel"]++;
  else toPeer(flow, peer, bytes, 4, 4 + length);
};

/** The peer of a Send indication that has no entry yet. */
const strangerOf = (flow: Flow, bytes: Buffer, offset: number, length: number): PeerFlow | undefined => {
  const { address, port } = readXorAddress(bytes, offset, length);
  return flow.peer(address, port);
};

/** A Send indication from the client; what is malformed is dropped in silence, RFC 8656 §11.2. */
const sendIndicationIn = (flow: Flow, bytes: Buffer): void => {
  if (bytes.length < 20 || messageLength(bytes) !== bytes.length) {
    flow.drops["not-stun"]++;
    return;
  }
  let addressAt = 0;
  let addressLength = 0;
  let dataAt = 0;
  let dataLength = 0;
  for (let offset = 20; offset + 4 <= bytes.length;) {
    const type = bytes.readUInt16BE(offset);
    const length = bytes.readUInt16BE(offset + 2);
    if (offset + 4 + length > bytes.length) return;
    if (type === attribute.xorPeerAddress && addressAt === 0) {
      addressAt = offset + 4;
      addressLength = length;
    } else if (type === attribute.data && dataAt === 0) {
      dataAt = offset + 4;
      dataLength = length;
    } else if (type < 0x8000 && type !== attribute.dontFragment && type !== attribute.messageIntegrity) return;
    offset += 4 + ((length + 3) & ~3);
  }
  const family = addressLength === 8 ? 1 : 2;
  if (addressAt === 0 || dataAt === 0 || (addressLength !== 8 && addressLength !== 20)) return;
  if (bytes[addressAt + 1] !== family) return;
  const port = bytes.readUInt16BE(addressAt + 2) ^ (magicCookie >>> 16);
  const peer =
    flow.peerByBytes(bytes, addressAt + 4, addressLength - 4, port) ??
    strangerOf(flow, bytes, addressAt, addressLength);
  if (peer === undefined) flow.drops["no-permission"]++;
  else toPeer(flow, peer, bytes, dataAt, dataAt + dataLength);
};

/** Takes media that a client sent across; false when `bytes` are something else. */
export const fromClient = (flow: Flow, bytes: Buffer): boolean => {
  const first = bytes[0] ?? 0xff;
  if (first >= 0x40 && first < 0x80) channelDataIn(flow, bytes);
  else if (isSendIndication(bytes)) sendIndicationIn(flow, bytes);
  else return false;
  return true;
};

const randomPool = Buffer.alloc(12 * 256);
let randomAt = randomPool.length;

/** A Data indication, RFC 8656 §11.3. */
export const dataIndicationBytes = (peer: PeerFlow, data: Buffer): Buffer => {
  const addressLength = 4 + peer.bytes.length;
  const padded = (data.length + 3) & ~3;
  const bytes = Buffer.allocUnsafe(20 + 4 + addressLength + 4 + padded);
  if (randomAt === randomPool.length) {
    randomFillSync(randomPool);
    randomAt = 0;
  }
  bytes.writeUInt16BE(dataIndication, 0);
  bytes.writeUInt16BE(bytes.length - 20, 2);
  bytes.writeUInt32BE(magicCookie, 4);
  randomPool.copy(bytes, 8, randomAt, (randomAt += 12));
  bytes.writeUInt16BE(attribute.xorPeerAddress, 20);
  bytes.writeUInt16BE(addressLength, 22);
  bytes.writeUInt16BE(peer.bytes.length === 4 ? 1 : 2, 24);
  bytes.writeUInt16BE(peer.port ^ (magicCookie >>> 16), 26);
  for (let at = 0; at < peer.bytes.length; at++) bytes[28 + at] = (peer.bytes[at] ?? 0) ^ (bytes[4 + at] ?? 0);
  const dataAt = 24 + addressLength;
  bytes.writeUInt16BE(attribute.data, dataAt);
  bytes.writeUInt16BE(data.length, dataAt + 2);
  data.copy(bytes, dataAt + 4);
  bytes.fill(0, dataAt + 4 + data.length);
  return bytes;
};

/** ChannelData, padded to four bytes when it goes over a stream (RFC 8656 §12.5). */
export const channelDataBytes = (channel: number, data: Buffer, padded: boolean): Buffer => {
  const length = padded ? (data.length + 3) & ~3 : data.length;
  const bytes = Buffer.allocUnsafe(4 + length);
  bytes[0] = channel >>> 8;
  bytes[1] = channel & 255;
  bytes[2] = data.length >>> 8;
  bytes[3] = data.length & 255;
  data.copy(bytes, 4);
  for (let at = 4 + data.length; at < bytes.length; at++) bytes[at] = 0;
  return bytes;
};

/** A datagram that a peer sent to the relayed transport address. */
export const peerDataOut = (flow: Flow, data: Buffer, address: string, port: number): void => {
  const peer = flow.peer(address, port);
  if (peer === undefined || !peer.open) {
    flow.drops[peer?.closedBecause ?? "no-permission"]++;
    return;
  }
  if (peer.channel === 0 && data.length > maxIndicationBytes) {
    flow.drops["too-long"]++;
    return;
  }
  const bytes =
    peer.channel === 0
      ? dataIndicationBytes(peer, data)
      : channelDataBytes(peer.channel, data, flow.path.protocol === "tcp");
  if (!flow.path.send(bytes, true)) {
    flow.drops["client-backlog"]++;
    return;
  }
  flow.traffic.packetsOut++;
  flow.traffic.bytesOut += data.length;
  flow.listener.packetsOut++;
  flow.listener.bytesOut += data.length;
};
