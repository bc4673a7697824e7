/** Ethernet frames with one UDP datagram in them, made and read byte by byte. */
export interface Frame {
  /** 4 or 16 bytes, both of one length. */
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly payload: Uint8Array;
  readonly trafficClass?: number;
  readonly hopLimit?: number;
  /** IPv4: identification, and the field of flags and offset. */
  readonly id?: number;
  readonly flags?: number;
  readonly options?: Uint8Array;
  readonly checksum?: "right" | "none" | "wrong";
  /** Behind the datagram, as on links that want 60 bytes. */
  readonly trailer?: Uint8Array;
  /** What the UDP header says instead of the truth. */
  readonly udpLength?: number;
}

export const ETHERNET = 14;
const UDP = 8;

const sumOf = (bytes: Uint8Array): number => {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
};

export const makeFrame = (frame: Frame): Buffer => {
  const { source, target, payload, options = new Uint8Array(), trailer = new Uint8Array() } = frame;
  const isIpv6 = source.length === 16;
  const udpLength = frame.udpLength ?? UDP + payload.length;
  const ethernet = Buffer.alloc(ETHERNET);
  ethernet.writeUInt16BE(isIpv6 ? 0x86dd : 0x0800, 12);
  const udp = Buffer.alloc(UDP);
  udp.writeUInt16BE(frame.sourcePort, 0);
  udp.writeUInt16BE(frame.targetPort, 2);
  udp.writeUInt16BE(udpLength, 4);
  const pseudo = Buffer.concat([source, target, Buffer.from([0, 17, udpLength >>> 8, udpLength & 255])]);
  const sum = 0xffff ^ sumOf(Buffer.concat([pseudo, udp, payload]));
  const { checksum = "right" } = frame;
  udp.writeUInt16BE(checksum === "none" ? 0 : checksum === "wrong" ? sum ^ 0x0101 || 1 : sum || 0xffff, 6);
  let ip: Buffer;
  if (isIpv6) {
    ip = Buffer.alloc(40);
    ip.writeUInt32BE(((6 << 28) | ((frame.trafficClass ?? 0) << 20)) >>> 0, 0);
    ip.writeUInt16BE(UDP + payload.length, 4);
    ip.writeUInt8(17, 6);
    ip.writeUInt8(frame.hopLimit ?? 64, 7);
    ip.set(source, 8);
    ip.set(target, 24);
  } else {
    ip = Buffer.alloc(20 + options.length);
    ip.writeUInt8(0x45 + options.length / 4, 0);
    ip.writeUInt8(frame.trafficClass ?? 0, 1);
    ip.writeUInt16BE(ip.length + UDP + payload.length, 2);
    ip.writeUInt16BE(frame.id ?? 0, 4);
    ip.writeUInt16BE(frame.flags ?? 0x4000, 6);
    ip.writeUInt8(frame.hopLimit ?? 64, 8);
    ip.writeUInt8(17, 9);
    ip.set(source, 12);
    ip.set(target, 16);
    ip.set(options, 20);
    ip.writeUInt16BE(0xffff ^ sumOf(ip), 10);
  }
  return Buffer.concat([ethernet, ip, udp, payload, trailer]);
};
