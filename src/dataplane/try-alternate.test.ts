import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../../test/support/eventually.ts";
import { freePort } from "../../test/support/free-port.ts";
import type { AlternateConfig, DataplaneConfig } from "../resources/dataplane-config.ts";
import { attribute } from "../stun/attributes.ts";
import { method } from "../stun/message.ts";
import { TurnClient, TurnResponseError, type TurnClientOptions } from "../turn-client/turn-client.ts";
import { createRelay } from "./create-relay.ts";
import type { RelayEvent, RelayTuning } from "./relay.ts";

const FAR = ["192.0.2.7", "192.0.2.8", "192.0.2.9"] as const;

const configOf = (port: number, alternates: readonly AlternateConfig[]): DataplaneConfig => ({
  version: "v1",
  admin: { name: "ns/gw" },
  auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
  listeners: (["TURN-UDP", "TURN-TCP"] as const).map((protocol) => ({
    name: `ns/gw/${protocol}`,
    protocol,
    address: "",
    port,
    routes: ["ns/r"],
  })),
  clusters: [{ name: "ns/r", type: "STATIC", protocol: "UDP", endpoints: ["127.0.0.1"] }],
  alternates,
});

const on = (...addresses: readonly string[]): AlternateConfig => ({ node: addresses.join("-"), addresses });

interface Tuning extends RelayTuning {
  readonly workers?: number;
}

const startRelay = async (
  address: string,
  port: number,
  alternates: readonly AlternateConfig[],
  tuning: Tuning = {},
) => {
  const place = { by: "addresses", bind: [address], relay: [address] } as const;
  const relay = createRelay({ place, own: [address], engine: "auto", log: pino({ level: "silent" }), ...tuning });
  onTestFinished(() => relay.close());
  const events: RelayEvent[] = [];
  relay.events.subscribe((event) => events.push(event));
  await relay.apply(configOf(port, alternates));
  const redirected = async (): Promise<number> => (await relay.summary()).refused["300 try-alternate"] ?? 0;
  return { relay, events, redirected };
};

const connect = async (host: string, port: number, more: Partial<TurnClientOptions> = {}): Promise<TurnClient> => {
  const client = await TurnClient.connect({ host, port, username: "u", password: "p", ...more });
  onTestFinished(() => client.close());
  return client;
};

/** The values of all ALTERNATE-SERVER attributes of `message`, in its order. */
const alternatesIn = (message: Buffer): readonly string[] => {
  const found: string[] = [];
  for (let at = 20; at < message.length; at += 4 + ((message.readUInt16BE(at + 2) + 3) & ~3)) {
    const value = message.subarray(at + 4, at + 4 + message.readUInt16BE(at + 2));
    if (message.readUInt16BE(at) === attribute.alternateServer) found.push(value.toString("hex"));
  }
  return found;
};

const UDP_PEERS = [{ type: attribute.requestedTransport, value: 17 * 0x1000000 }];

/** What an Allocate that follows no redirection is answered with. */
const answered = async (client: TurnClient): Promise<Buffer | "success"> => {
  try {
    await client.request(method.allocate, UDP_PEERS);
    return "success";
  } catch (error) {
    if (!(error instanceof TurnResponseError) || error.code !== 300) throw error;
    expect(error.response.integrityAt).toBeDefined();
    return Buffer.from(error.response.bytes);
  }
};

const wire = (address: string, port: number): string =>
  `0001${port.toString(16).padStart(4, "0")}${address
    .split(".")
    .map((part) => Number(part).toString(16).padStart(2, "0"))
    .join("")}`;

/** The address that a new client over UDP is sent to. */
const sentTo = async (port: number): Promise<string> => {
  const answer = await answered(await connect("127.0.0.1", port));
  return answer === "success" ? answer : (alternatesIn(answer)[0] ?? "nowhere");
};

describe("a relay that drains, with alternates in its config", () => {
  it("sends new clients to each of them in turn, with the other family second, and says so", async () => {
    const port = await freePort("127.0.0.1");
    const here = await startRelay("127.0.0.1", port, [on(FAR[0], "2001:db8::7"), on(FAR[1])]);
    expect(await sentTo(port)).toBe("success");
    here.relay.drain();
    const client = await connect("127.0.0.1", port);
    const answer = await answered(client);
    expect(alternatesIn(answer as Buffer)).toEqual([
      wire(FAR[0], port),
      `0002${port.toString(16).padStart(4, "0")}20010db8000000000000000000000007`,
    ]);
    expect([await sentTo(port), await sentTo(port)]).toEqual([wire(FAR[1], port), wire(FAR[0], port)]);
    expect(await here.redirected()).toBe(3);
    expect(here.events.filter(({ event }) => event === "client.redirected")[0]).toEqual({
      event: "client.redirected",
      gateway: "ns/gw",
      listener: "ns/gw/TURN-UDP",
      client: `127.0.0.1:${client.local.port}`,
      user: "u",
      server: `${FAR[0]}:${port}`,
      suppressed: 0,
    });
  });

  it("follows a config that changes meanwhile, and serves where it knows nobody else", async () => {
    const port = await freePort("127.0.0.1");
    const here = await startRelay("127.0.0.1", port, [on(FAR[0])]);
    here.relay.drain();
    expect(await sentTo(port)).toBe(wire(FAR[0], port));
    await here.relay.apply(configOf(port, [on(FAR[1])]));
    expect(await sentTo(port)).toBe(wire(FAR[1], port));
    // Only itself, and one that a client over IPv4 cannot reach.
    await here.relay.apply(configOf(port, [on("127.0.0.1"), on("2001:db8::7")]));
    expect(await sentTo(port)).toBe("success");
  });

  it("keeps what is open: its requests, its retransmissions, and the port that it has reserved", async () => {
    const port = await freePort("127.0.0.1");
    const here = await startRelay("127.0.0.1", port, [on(FAR[0])]);
    const before = await connect("127.0.0.1", port);
    const { reservationToken } = await before.allocate({ evenPort: "reserve" });
    here.relay.drain();
    expect(await before.refresh()).toBe(600);
    await expect(before.allocate()).rejects.toMatchObject({ code: 437 });
    const second = await connect("127.0.0.1", port);
    expect((await second.allocate({ reservationToken: reservationToken! })).relayed).toHaveLength(1);
    // Nothing is said about it to who cannot authenticate.
    await expect((await connect("127.0.0.1", port, { password: "wrong" })).allocate()).rejects.toMatchObject({
      code: 401,
    });
  });

  it("prefers the server that was named by hand", async () => {
    const port = await freePort("127.0.0.1");
    const alternateServers = [{ address: FAR[2], port: 9 }];
    const here = await startRelay("127.0.0.1", port, [on(FAR[0])], { alternateServers });
    here.relay.drain();
    expect(await sentTo(port)).toBe(wire(FAR[2], 9));
  });

  it("does the same on every thread", async () => {
    const port = await freePort("127.0.0.1");
    const here = await startRelay("127.0.0.1", port, [on(FAR[0])], { workers: 2 });
    here.relay.drain();
    await eventually(async () => expect(await sentTo(port)).toBe(wire(FAR[0], port)));
    for (let count = 0; count < 6; count++) expect(await sentTo(port)).toBe(wire(FAR[0], port));
  });
});

describe("a client that is sent elsewhere", () => {
  it.each(["udp", "tcp"] as const)("gets its call at the other relay, over %s", async (transport) => {
    const port = await freePort("127.0.0.1");
    const here = await startRelay("127.0.0.1", port, [on("127.0.0.2")]);
    const there = await startRelay("127.0.0.2", port, [on("127.0.0.1")]);
    here.relay.drain();
    const client = await connect("127.0.0.1", port, { transport });
    const { relayed } = await client.allocate();
    expect(relayed).toMatchObject([{ address: "127.0.0.2" }]);
    expect(client.server).toMatchObject({ address: "127.0.0.2", port });
    expect(await client.refresh()).toBe(600);
    expect([await here.redirected(), await there.redirected()]).toEqual([1, 0]);
    expect(client.isClosed).toBe(false);
  });

  it("asks no server twice", async () => {
    const port = await freePort("127.0.0.1");
    const here = await startRelay("127.0.0.1", port, [on("127.0.0.2")]);
    const there = await startRelay("127.0.0.2", port, [on("127.0.0.1")]);
    here.relay.drain();
    there.relay.drain();
    const client = await connect("localhost", port, { transport: "tcp" });
    await expect(client.allocate()).rejects.toMatchObject({ code: 300 });
    expect([await here.redirected(), await there.redirected()]).toEqual([1, 1]);
  });
});
