import { describe, expect, it } from "vitest";
import { testOptions, testScope } from "../../test/support/allocation.ts";
import { parseIp } from "../net/ip.ts";
import { Allocation } from "./allocation.ts";
import type { RelayPort } from "./flows.ts";
import { defaultLimits, maxChannels, maxPeers } from "./limits.ts";
import { fromClient, HEADROOM, peerDataOut, TAILROOM } from "./engines/forward.ts";

const { maxPermissions } = defaultLimits;
const peer = parseIp("10.0.0.1")!;

const allocation = () => {
  const toPeer: string[] = [];
  const toClient: Buffer[] = [];
  const gate = { generation: 0 };
  const admitted = { all: true };
  const scope = testScope({
    gate,
    check: () =>
      admitted.all
        ? { admitted: true, cluster: "c", endpoint: "e" }
        : { admitted: false, code: "no-cluster", reason: "no" },
  });
  const relay: RelayPort = {
    family: 4,
    address: "192.0.2.1",
    port: 50_000,
    attach: () => undefined,
    send: (bytes, start, end, { address, port }) =>
      void toPeer.push(`${address}:${port} ${bytes.toString("utf8", start, end)}`),
    close: () => undefined,
  };
  const options = testOptions({ now: 0, expiresAt: 600_000 });
  const made = new Allocation(scope, {
    ...options,
    path: {
      ...options.path,
      send: (bytes, start, end) => {
        toClient.push(Buffer.from(bytes.subarray(start, end)));
        return true;
      },
    },
    relays: [relay],
  });
  const say = (text: string): boolean =>
    fromClient(
      made.flow,
      Buffer.concat([Buffer.from([0x40, 0, 0, text.length]), Buffer.from(text)]),
      0,
      4 + text.length,
    );
  const hear = (text: string, port = 9): void => {
    const bytes = Buffer.alloc(HEADROOM + text.length + TAILROOM);
    bytes.write(text, HEADROOM);
    peerDataOut(made.flow, made.flow.peer(peer.text, port), bytes, HEADROOM, HEADROOM + text.length);
  };
  return { made, scope, gate, admitted, toPeer, toClient, say, hear };
};

describe("an allocation", () => {
  it("relays over a channel as long as the permission stands", () => {
    const { made, scope, toPeer, toClient, say, hear } = allocation();
    expect(made.bind(0x4000, peer, 9, 0)).toBe("bound");
    say("one");
    hear("two");
    expect(toPeer).toEqual(["10.0.0.1:9 one"]);
    expect(toClient[0]?.toString("latin1")).toBe("\x40\x00\x00\x03two");
    made.expire(300_000);
    say("lost");
    hear("lost");
    expect(scope.drops["no-permission"]).toBe(2);
    made.permit(peer, 300_000);
    say("back");
    expect(toPeer).toHaveLength(2);
    made.expire(599_999);
    expect(made.channels.size).toBe(1);
    made.expire(600_000);
    expect(made.channels.size).toBe(0);
    say("lost");
    expect(scope.drops["no-channel"]).toBe(1);
    expect(made.flow.traffic).toEqual({ bytesIn: 7, bytesOut: 3, packetsIn: 2, packetsOut: 1 });
  });

  it("forgets the request that made it once that can come no more", () => {
    const { made } = allocation();
    made.expire(39_999);
    expect(made.made).toBeDefined();
    made.expire(40_000);
    expect(made.made).toBeUndefined();
  });

  it("asks admission again only when it may have changed", () => {
    const { made, gate, admitted, toPeer, say } = allocation();
    made.bind(0x4000, peer, 9, 0);
    say("one");
    admitted.all = false;
    say("two");
    gate.generation++;
    say("lost");
    expect(toPeer).toEqual(["10.0.0.1:9 one", "10.0.0.1:9 two"]);
  });

  it("bounds permissions, channels and the peers that it remembers", () => {
    const { made, toClient, hear } = allocation();
    const others = Array.from({ length: maxPermissions + 1 }, (_, n) => parseIp(`10.1.${n >> 8}.${n & 255}`)!);
    expect(made.hasRoomFor(others)).toBe(false);
    for (let n = 0; n < maxChannels; n++) expect(made.bind(0x4000 + n, peer, n + 1, 0)).toBe("bound");
    expect(made.bind(0x5000, peer, 9999, 0)).toBe("full");
    for (let port = 1000; port < 3000; port++) hear("x", port);
    expect(toClient).toHaveLength(2000);
    expect(made.flow.peers.size).toBeLessThanOrEqual(maxPeers);
    hear("y", 1);
    expect(toClient.at(-1)?.readUInt16BE(0)).toBe(0x4000);
    for (const other of others.slice(1)) made.permit(other, 0);
    expect(made.permit(parseIp("10.2.0.1")!, 0)).toBe(false);
  });
});
