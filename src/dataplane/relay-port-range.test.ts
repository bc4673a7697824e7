import { createSocket } from "node:dgram";
import { once } from "node:events";
import pino from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../../test/support/eventually.ts";
import { freePort } from "../../test/support/free-port.ts";
import { TurnClient, type AllocateOptions } from "../turn-client/turn-client.ts";
import { createRelay } from "./create-relay.ts";
import { placeOn } from "./placement.ts";
import type { RelayOptions } from "./relay.ts";

const HOST = "127.0.0.1";

/** Four ports in a row that are free at the moment. */
const freeRange = async (): Promise<{ readonly first: number; readonly last: number }> => {
  for (;;) {
    const first = (await freePort(HOST)) & ~1;
    const sockets = await Promise.allSettled(
      [0, 1, 2, 3].map(async (offset) => {
        const socket = createSocket("udp4");
        socket.bind(first + offset, HOST);
        await once(socket, "listening");
        await new Promise<void>((resolve) => socket.close(() => resolve()));
      }),
    );
    if (first + 3 <= 65_535 && sockets.every(({ status }) => status === "fulfilled")) return { first, last: first + 3 };
  }
};

const start = async (options: Partial<RelayOptions>) => {
  const port = await freePort(HOST);
  const log = pino({ level: "silent" });
  const relay = createRelay({ place: placeOn([HOST]), own: [], log, ...options });
  onTestFinished(() => relay.close());
  await relay.apply({
    version: "v1",
    admin: { name: "gw" },
    auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
    listeners: (["TURN-UDP", "TURN-TCP"] as const).map((protocol) => ({
      name: `gw/${protocol}`,
      protocol,
      address: "",
      port,
      routes: ["all"],
    })),
    clusters: [{ name: "all", type: "STATIC", protocol: "UDP", endpoints: ["0.0.0.0/0"] }],
  });
  const client = async (transport: "udp" | "tcp" = "udp"): Promise<TurnClient> => {
    const made = await TurnClient.connect({ host: HOST, port, transport, username: "u", password: "p" });
    onTestFinished(() => made.close());
    return made;
  };
  /** The relayed address of a new allocation, or the code that it is refused with; and its client. */
  const allocate = async (how: AllocateOptions = {}, transport?: "udp" | "tcp") => {
    const made = await client(transport);
    const result = await made.allocate(how).then(
      ({ relayed }) => relayed[0],
      (error: { code?: number }) => error.code,
    );
    return { made, result };
  };
  return { relay, client, allocate };
};

const portOf = (result: unknown): number => (result as { readonly port: number }).port;
const inOrder = (results: readonly unknown[]): readonly number[] => results.map(portOf).toSorted((a, b) => a - b);

describe.each([
  ["dgram", { engine: "dgram" }],
  ["batch", { engine: "batch" }],
  ["batch, two threads", { engine: "batch", workers: 2 }],
] as const)("a relay with a range of ports (%s)", (_, options) => {
  it("uses each port of it once, refuses who comes when all are in use, and recovers", async () => {
    const range = await freeRange();
    const { relay, allocate } = await start({ ...options, relayPorts: range });
    const four = [await allocate(), await allocate(), await allocate(), await allocate()];
    expect(inOrder(four.map(({ result }) => result))).toEqual([0, 1, 2, 3].map((offset) => range.first + offset));
    expect((await allocate()).result).toBe(508);
    await relay.refresh();
    expect(relay.state().relayPorts).toEqual({ inUse: { 4: 4, 6: 0 }, limit: 4 });
    expect(relay.state().refused).toMatchObject({ "508 relay-port": 1 });
    await four[2]!.made.refresh(0);
    expect((await allocate()).result).toEqual(four[2]!.result);
  });

  it("leaves ports to other programs that have them", async () => {
    const range = await freeRange();
    const other = createSocket("udp4").bind(range.first + 1, HOST);
    await once(other, "listening");
    onTestFinished(() => void other.close());
    const { allocate } = await start({ ...options, relayPorts: range });
    const three = [await allocate(), await allocate(), await allocate()];
    expect(inOrder(three.map(({ result }) => result))).toEqual([0, 2, 3].map((offset) => range.first + offset));
    expect((await allocate()).result).toBe(508);
  });

  it("reserves the next port within it", async () => {
    const range = await freeRange();
    const { allocate } = await start({ ...options, relayPorts: { ...range, last: range.first + 2 } });
    // The last port is even, and the one after it is not in the range.
    const { result } = await allocate({ evenPort: "reserve" });
    expect(portOf(result)).toBe(range.first);
    const { result: odd } = await allocate();
    expect(portOf(odd)).toBe(range.first + 2);
  });

  it("gives TCP allocations ports of it, none of them twice", async () => {
    const range = await freeRange();
    const { relay, allocate } = await start({ ...options, relayPorts: range });
    const two = [await allocate({ peers: "tcp" }, "tcp"), await allocate({ peers: "tcp" }, "tcp")];
    const more = [await allocate(), await allocate()];
    const ports = inOrder([...two, ...more].map(({ result }) => result));
    expect(ports).toEqual([0, 1, 2, 3].map((offset) => range.first + offset));
    expect((await allocate({ peers: "tcp" }, "tcp")).result).toBe(508);
    two[0]!.made.close();
    await eventually(async () => {
      await relay.refresh();
      expect(relay.state().allocations).toHaveLength(3);
    });
    expect((await allocate({ peers: "tcp" }, "tcp")).result).toEqual(two[0]!.result);
  });

  it("tells clients another address of itself", async () => {
    const { allocate } = await start({ ...options, advertise: ["203.0.113.7"] });
    expect((await allocate()).result).toMatchObject({ address: "203.0.113.7" });
  });

  it("opens private addresses only to endpoints that name them, if asked to", async () => {
    for (const deniesPrivate of [false, true]) {
      const { relay, client } = await start({ ...options, deniesPrivate });
      const one = await client();
      await one.allocate();
      await one.createPermission("198.51.100.1");
      const permitted = await one.createPermission("10.1.2.3").then(
        () => "permitted",
        (error: { code?: number }) => error.code,
      );
      expect(permitted).toBe(deniesPrivate ? 403 : "permitted");
      await relay.refresh();
      expect(relay.state().denied).toEqual(deniesPrivate ? { "private-address": 1 } : {});
    }
  });
});
