/** DONT-FRAGMENT where packets have a size: in a network of its own, whose loopback MTU is 1500 bytes. */
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import pino from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRelay } from "../../src/dataplane/create-relay.ts";
import { placeOn } from "../../src/dataplane/placement.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { enterOwnNetwork } from "../support/network.ts";

const isRoot = process.getuid?.() === 0;
const PORT = 3478;
const own = ["127.0.0.1", "::1"];

beforeAll(() => {
  if (!isRoot) return;
  enterOwnNetwork();
  expect(spawnSync("ip", ["link", "set", "lo", "mtu", "1500"]).status).toBe(0);
});

describe.runIf(isRoot).each([
  ["127.0.0.1", "udp4"],
  ["::1", "udp6"],
] as const)("a Send indication to %s", (host, type) => {
  const peer = createSocket(type);
  const lengths: number[] = [];
  peer.on("message", (bytes) => lengths.push(bytes.length));
  afterAll(() => void peer.close());

  it.each(["batch", "dgram"] as const)("is relayed whole or not at all with DONT-FRAGMENT: %s", async (engine) => {
    const relay = createRelay({ place: placeOn(own), own, engine, log: pino({ level: "silent" }) });
    try {
      await relay.apply({
        version: "v1",
        admin: { name: "gw" },
        auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
        listeners: [{ name: "gw/udp", protocol: "TURN-UDP", address: "", port: PORT, routes: ["c"] }],
        clusters: [{ name: "c", type: "STATIC", protocol: "UDP", endpoints: own }],
      });
      if (engine === "batch") {
        peer.bind(0, host);
        await once(peer, "listening");
      }
      lengths.length = 0;
      const to = { address: host, port: peer.address().port };
      const client = await TurnClient.connect({ host, port: PORT, username: "u", password: "p" });
      const family = type === "udp4" ? "ipv4" : "ipv6";
      const allocated = client.allocate({ dontFragment: true, family });
      if (engine === "dgram") {
        await expect(allocated).rejects.toMatchObject({ code: 420 });
        await client.allocate({ family });
      } else await allocated;
      await client.createPermission(host);
      // One after the other over one socket each way, so nothing overtakes.
      client.send(to, Buffer.alloc(3000));
      client.send(to, Buffer.alloc(3001), { dontFragment: true });
      client.send(to, Buffer.alloc(1000), { dontFragment: true });
      client.send(to, Buffer.alloc(3002));
      await expect.poll(() => lengths.at(-1)).toBe(3002);
      const { dropped } = relay.state();
      if (engine === "batch") {
        expect(lengths).toEqual([3000, 1000, 3002]);
        expect(dropped["unsendable"]).toBe(1);
      } else {
        expect(lengths).toEqual([3000, 3002]);
        expect(dropped["dont-fragment"]).toBe(2);
      }
      client.close();
    } finally {
      await relay.close();
    }
  });
});
