/** PROXY headers, version 2, as a load balancer writes them. */
import type { TransportAddress } from "../../src/net/address.ts";
import { bytesOf, parseIp } from "../../src/net/ip.ts";

export const PROXY_SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");

/** @param tlvs what stands behind the addresses. */
export const proxyHeader = (
  source: TransportAddress,
  destination: TransportAddress,
  tlvs: Buffer = Buffer.alloc(0),
  transport: "tcp" | "udp" = "tcp",
): Buffer => {
  const [from, to] = [parseIp(source.address)!, parseIp(destination.address)!];
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  const body = Buffer.concat([bytesOf(from), bytesOf(to), ports, tlvs]);
  const head = Buffer.from([
    0x21,
    (from.family === 4 ? 0x10 : 0x20) | (transport === "tcp" ? 1 : 2),
    body.length >> 8,
    body.length & 255,
  ]);
  return Buffer.concat([PROXY_SIGNATURE, head, body]);
};

/** What a load balancer says when it asks for itself: a health check. */
export const localHeader = Buffer.concat([PROXY_SIGNATURE, Buffer.from([0x20, 0, 0, 0])]);
