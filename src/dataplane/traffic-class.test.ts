/** DSCP and ECN of what is relayed are those of what came (RFC 8656 §13), by the batch engine. */
import koffi from "koffi";
import pino from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../test/support/free-port.ts";
import { wireAddressOf, type TransportAddress } from "../net/address.ts";
import { TurnClient } from "../turn-client/turn-client.ts";
import { createRelay } from "./create-relay.ts";
import { Datagrams } from "./engines/batch/datagrams.ts";
import { IP_TOS, IPPROTO_IP, IPPROTO_IPV6, IPV6_TCLASS } from "./engines/batch/sys.ts";
import { noDrops } from "./flows.ts";
import { placeOn } from "./placement.ts";

const setsockopt = koffi.load(null).func("int setsockopt(int fd, int level, int name, void *value, uint bytes)") as (
  fd: number,
  level: number,
  name: number,
  value: Buffer,
  bytes: number,
) => number;

const setTrafficClass = (fd: number, family: 4 | 6, value: number): void => {
  const bytes = Buffer.from([value, 0, 0, 0]);
  const [level, name] = family === 4 ? [IPPROTO_IP, IP_TOS] : [IPPROTO_IPV6, IPV6_TCLASS];
  expect(setsockopt(fd, level, name, bytes, bytes.length)).toBe(0);
};

interface Received {
  readonly bytes: Buffer;
  readonly trafficClass: number;
}

/** A socket that says with which traffic class datagrams arrive, and sends with any. */
const openEnd = (address: string, onReceived: (received: Received) => void) => {
  const datagrams = new Datagrams({ drops: noDrops() });
  onTestFinished(() => datagrams.close());
  const socket = datagrams.open(
    { address, port: 0 },
    {
      bufferBytes: 1 << 16,
      batch: 8,
      owner: {
        take(slot, start, end) {
          const bytes = Buffer.from(datagrams.bytes.subarray(start, end));
          const trafficClass = datagrams.arena.trafficClassOf(slot);
          datagrams.handUp(() => onReceived({ bytes, trafficClass }));
        },
      },
    },
  );
  return {
    address,
    port: datagrams.portOf(socket),
    send(bytes: Buffer, to: TransportAddress, trafficClass: number) {
      setTrafficClass(socket.fd, socket.family, trafficClass);
      datagrams.send(socket, bytes, 0, bytes.length, wireAddressOf(to));
      datagrams.flush();
    },
  };
};

const EXPEDITED_CAPABLE = 0xba;
const ASSURED = 0x88;
const CONGESTED = 0x03;

describe.each([
  { name: "IPv4", host: "127.0.0.1", bind: ["127.0.0.1"] },
  { name: "IPv6", host: "::1", bind: ["::1"] },
  { name: "a socket with several addresses", host: "127.0.0.2", bind: ["0.0.0.0"] },
])("over $name", ({ host, bind }) => {
  const start = async () => {
    const port = await freePort(host);
    const relay = createRelay({
      place: placeOn(bind),
      own: [],
      engine: "batch",
      log: pino({ level: "silent" }),
    });
    onTestFinished(() => relay.close());
    await relay.apply({
      version: "v1",
      admin: { name: "gw" },
      auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
      listeners: [{ name: "gw/udp", protocol: "TURN-UDP", address: "", port, routes: ["peers"] }],
      clusters: [{ name: "peers", type: "STATIC", protocol: "UDP", endpoints: [host] }],
    });
    const atPeer: Received[] = [];
    const peer = openEnd(host, (received) => atPeer.push(received));
    const atClient: number[] = [];
    let trafficClass = 0;
    const client = await TurnClient.connect({
      host,
      port,
      username: "u",
      password: "p",
      transport(receiver) {
        const end = openEnd(host, (received) => {
          atClient.push(received.trafficClass);
          receiver.message(received.bytes);
        });
        return {
          isReliable: false,
          local: end,
          send: (bytes) => end.send(bytes, { address: host, port }, trafficClass),
          close: () => undefined,
        };
      },
    });
    onTestFinished(() => client.close());
    const { relayed } = await client.allocate(host === "::1" ? { family: "ipv6" } : {});
    return { client, peer, atPeer, atClient, relayed: relayed[0]!, as: (next: number) => (trafficClass = next) };
  };

  it("each packet to a peer has the traffic class of its client's", async () => {
    const { client, peer, atPeer, as } = await start();
    await client.channelBind(0x4000, peer);
    const classes = [EXPEDITED_CAPABLE, EXPEDITED_CAPABLE, 0, ASSURED, CONGESTED, ASSURED, 0, EXPEDITED_CAPABLE];
    // One after another, so that several are relayed in one turn.
    for (const one of classes) {
      as(one);
      client.sendChannel(0x4000, Buffer.from([one]));
    }
    as(ASSURED);
    client.send(peer, Buffer.from([ASSURED]));
    await expect.poll(() => atPeer.length).toBe(classes.length + 1);
    expect(atPeer.map(({ trafficClass }) => trafficClass)).toEqual([...classes, ASSURED]);
    expect(atPeer.map(({ bytes }) => bytes[0])).toEqual([...classes, ASSURED]);
  });

  it("each packet to a client has the traffic class of its peer's, by channel and by indication", async () => {
    const { client, peer, atClient, relayed } = await start();
    await client.createPermission(host);
    atClient.length = 0;
    const classes = [EXPEDITED_CAPABLE, 0, ASSURED, ASSURED, CONGESTED];
    for (const one of classes) peer.send(Buffer.from("data"), { address: host, port: relayed.port }, one);
    await expect.poll(() => atClient.length).toBe(classes.length);
    expect(atClient).toEqual(classes);
    await client.channelBind(0x4000, peer);
    atClient.length = 0;
    for (const one of classes) peer.send(Buffer.from("data"), { address: host, port: relayed.port }, one);
    await expect.poll(() => atClient.length).toBe(classes.length);
    expect(atClient).toEqual(classes);
  });
});
