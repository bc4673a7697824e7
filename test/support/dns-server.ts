/** A DNS server that answers every question for an IPv4 address with the same one, and has no other records. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { Resolver } from "node:dns/promises";

export interface DnsServer {
  /** A client that asks this server. */
  readonly client: Resolver;
  close(): void;
}

const HEADER_BYTES = 12;
const TYPE_A = 1;

/** `ttl` in seconds; at a free port, unless one is given. */
export const startDnsServer = async (address: string, ttl: number, port = 0): Promise<DnsServer> => {
  const socket = createSocket("udp4");
  socket.on("message", (query, { port: back, address: from }) => {
    // Name, type, class; without the additional records that may follow.
    const question = query.subarray(HEADER_BYTES, query.indexOf(0, HEADER_BYTES) + 5);
    const isForIpv4 = question.readUInt16BE(question.length - 4) === TYPE_A;
    const header = Buffer.alloc(HEADER_BYTES);
    query.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(isForIpv4 ? 1 : 0, 6);
    const record = Buffer.from([
      0xc0,
      HEADER_BYTES,
      0,
      TYPE_A,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      4,
      ...address.split(".").map(Number),
    ]);
    record.writeUInt32BE(ttl, 6);
    socket.send(Buffer.concat([header, question, ...(isForIpv4 ? [record] : [])]), back, from);
  });
  socket.bind(port, "127.0.0.1");
  await once(socket, "listening");
  const client = new Resolver({ timeout: 2000, tries: 1 });
  client.setServers([`127.0.0.1:${socket.address().port}`]);
  return { client, close: () => socket.close() };
};
