/** Clients whose address changes keep their allocation (RFC 8016). */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import pino from "pino";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../../test/support/eventually.ts";
import { freePort } from "../../test/support/free-port.ts";
import { engines, offload } from "../../test/support/offload.ts";
import { startRoaming } from "../../test/support/roaming.ts";
import type { AuthConfig } from "../resources/dataplane-config.ts";
import { attribute } from "../stun/attributes.ts";
import { method, type Attribute, type Message } from "../stun/message.ts";
import { ephemeralCredentials } from "../turn-client/credentials.ts";
import { TurnClient, TurnResponseError } from "../turn-client/turn-client.ts";
import { createRelay } from "./create-relay.ts";
import type { EngineName } from "./engines/choose.ts";
import { placeOn } from "./placement.ts";
import type { RelayEvent, RelayOptions } from "./relay.ts";

const [HOME, AWAY, ELSEWHERE] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
const CHANNEL = 0x4000;
const auth: AuthConfig = { type: "static", realm: "r", credentials: { username: "u", password: "p" } };
/** Each name before the colon is a user. */
const ephemeral: AuthConfig = { type: "ephemeral", realm: "r", credentials: { secret: "s" } };

let engine: EngineName;

/** Within 5 ms: times of the state are converted between clocks. */
const near = (time: number): unknown => expect.closeTo(time, -1);

const world = async (options: Partial<RelayOptions> = {}) => {
  const relay = createRelay({
    place: placeOn([HOME]),
    own: [HOME],
    engine,
    log: pino({ level: "silent" }),
    ...options,
  });
  onTestFinished(() => relay.close());
  const events: RelayEvent[] = [];
  relay.events.subscribe((event) => events.push(event));
  const [port, otherPort] = [await freePort(HOME), await freePort(HOME)];
  const apply = (how: { readonly auth?: AuthConfig; readonly quota?: number } = {}) =>
    relay.apply({
      version: "v1",
      admin: { name: "gw", user_quota: how.quota ?? 0, ...offload() },
      auth: how.auth ?? auth,
      listeners: [
        { name: "gw/udp", protocol: "TURN-UDP", address: "", port, routes: ["c"] },
        { name: "gw/other", protocol: "TURN-UDP", address: "", port: otherPort, routes: ["c"] },
        { name: "gw/tcp", protocol: "TURN-TCP", address: "", port, routes: ["c"] },
      ],
      clusters: [{ name: "c", type: "STATIC", protocol: "UDP", endpoints: [HOME] }],
    });
  await apply();
  const roaming = async (at = port, username = "u", password = "p") => {
    const phone = await startRoaming({ address: HOME, port: at });
    onTestFinished(() => phone.close());
    const client = await TurnClient.connect({
      host: HOME,
      port: at,
      username,
      password,
      transport: phone.transport,
      retransmitMilliseconds: 2000,
    });
    onTestFinished(() => client.close());
    return { phone, client };
  };
  return { relay, events, port, otherPort, apply, roaming };
};

const REQUEST: Attribute = { type: attribute.mobilityTicket, raw: Buffer.alloc(0) };
const UDP: Attribute = { type: attribute.requestedTransport, value: 17 * 0x1000000 };
const TCP: Attribute = { type: attribute.requestedTransport, value: 6 * 0x1000000 };

const allocate = (client: TurnClient, ...more: readonly Attribute[]): Promise<Message> =>
  client.request(method.allocate, [UDP, ...more]);

const ticketIn = ({ mobilityTicket }: Message): Buffer => {
  if (mobilityTicket === undefined) throw new Error("the answer contains no ticket");
  return Buffer.from(mobilityTicket);
};

const refreshWith = (client: TurnClient, ticket: Buffer, ...more: readonly Attribute[]): Promise<Message> =>
  client.request(method.refresh, [{ type: attribute.mobilityTicket, raw: ticket }, ...more]);

/** Moves by `ticket`; resolves to the new one. */
const moveWith = async (client: TurnClient, ticket: Buffer): Promise<Buffer> =>
  ticketIn(await refreshWith(client, ticket));

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "success",
    (error: unknown) => (error instanceof TurnResponseError ? error.code : error),
  );

/** A peer that notes who sends to it, and can send to the last sender. */
const startPeer = async () => {
  const socket = createSocket("udp4");
  socket.bind(0, HOME);
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  let sender: { readonly port: number; readonly address: string } | undefined;
  const heard: string[] = [];
  socket.on("message", (bytes, from) => {
    sender = from;
    heard.push(bytes.toString("utf8"));
  });
  return {
    at: { address: HOME, port: socket.address().port },
    heard,
    say: (text: string) => {
      if (sender === undefined) throw new Error("nobody has sent anything");
      socket.send(text, sender.port, sender.address);
    },
  };
};

/** A client that has an allocation with a ticket, a channel to `peer`, and has sent something. */
const callOn = async (made: Awaited<ReturnType<typeof world>>) => {
  const peer = await startPeer();
  const { phone, client } = await made.roaming();
  const ticket = ticketIn(await allocate(client, REQUEST));
  await client.channelBind(CHANNEL, peer.at);
  client.sendChannel(CHANNEL, Buffer.from("from home"));
  await eventually(() => expect(peer.heard).toEqual(["from home"]));
  return { peer, phone, client, ticket };
};

describe.each(engines())("with the %s engine", (name) => {
  beforeEach(() => void (engine = name));

  it("an allocation moves to the new address with the first data from there", async () => {
    const made = await world();
    const { relay, events } = made;
    const { peer, phone, client, ticket } = await callOn(made);
    const home = phone.at;
    const [before] = relay.state().allocations;
    await phone.roam(AWAY);
    const next = await moveWith(client, ticket);
    expect(next.equals(ticket)).toBe(false);

    // Both five-tuples work, and data goes to the old one.
    expect(relay.state().allocations).toMatchObject([{ client: home, movingTo: phone.at, moves: 0 }]);
    peer.say("still home");
    expect((await client.receive()).data.toString()).toBe("still home");
    phone.sendFrom(0, Buffer.concat([Buffer.from([0x40, 0, 0, 4]), Buffer.from("late")]));
    await eventually(() => expect(peer.heard.at(-1)).toBe("late"));
    expect(events.filter(({ event }) => event === "allocation.moved")).toEqual([]);

    client.sendChannel(CHANNEL, Buffer.from("from away"));
    await eventually(() => expect(peer.heard.at(-1)).toBe("from away"));
    const [toHome = 0, toAway = 0] = phone.received;
    for (let count = 0; count < 20; count += 1) peer.say(`to away ${count}`);
    for (let count = 0; count < 20; count += 1)
      expect((await client.receive()).data.toString()).toBe(`to away ${count}`);
    expect(phone.received).toEqual([toHome, toAway + 20]);
    const [after] = relay.state().allocations;
    expect(after).toMatchObject({
      id: before!.id,
      client: phone.at,
      relayed: before!.relayed,
      openedAt: near(before!.openedAt),
      permissions: [{ peer: HOME, expiresAt: near(before!.permissions[0]!.expiresAt) }],
      channels: [{ number: CHANNEL, expiresAt: near(before!.channels[0]!.expiresAt) }],
      moves: 1,
      packetsIn: 3,
      packetsOut: 21,
    });
    expect(after).not.toHaveProperty("movingTo");
    expect(relay.state().moved).toEqual({ udp: 1 });
    expect(events.filter(({ event }) => event === "allocation.moved")).toMatchObject([
      { gateway: "gw", listener: "gw/udp", id: before!.id, user: "u", from: home, client: phone.at },
    ]);

    // The old five-tuple no longer has an allocation.
    const { dropped } = relay.state();
    phone.sendFrom(0, Buffer.from([0x40, 0, 0, 1, 0x78]));
    await eventually(() => expect(relay.state().dropped["no-allocation"]).toBe((dropped["no-allocation"] ?? 0) + 1));
    expect(peer.heard.at(-1)).toBe("from away");
  });

  it("the new address may send indications, permissions and channels, and move on", async () => {
    const made = await world();
    const { relay } = made;
    const { peer, phone, client, ticket } = await callOn(made);
    await phone.roam(AWAY);
    const second = await moveWith(client, ticket);
    client.send(peer.at, Buffer.from("by indication"));
    await eventually(() => expect(peer.heard.at(-1)).toBe("by indication"));
    expect(relay.state().allocations).toMatchObject([{ client: phone.at, moves: 1 }]);
    await client.createPermission(HOME);
    await client.channelBind(CHANNEL, peer.at);
    await phone.roam(ELSEWHERE);
    await moveWith(client, second);
    await client.createPermission(HOME);
    // A request does it, too.
    expect(relay.state().allocations).toMatchObject([{ client: phone.at, moves: 2 }]);
    peer.say("to the third");
    expect((await client.receive()).data.toString()).toBe("to the third");
    expect(await client.refresh(0)).toBe(0);
    expect(relay.state().allocations).toEqual([]);
  });

  it("no packet is lost when a call moves between two working networks", async () => {
    const made = await world();
    const { peer, phone, client, ticket } = await callOn(made);
    const packets = 1500;
    let ticketNow = ticket;
    const heard = new Set<string>();
    for (let number = 0; number < packets; number += 1) {
      if (number % 500 === 250) {
        await phone.roam(number === 750 ? ELSEWHERE : AWAY);
        ticketNow = await moveWith(client, ticketNow);
      }
      client.sendChannel(CHANNEL, Buffer.from(`up ${number}`));
      peer.say(`down ${number}`);
      if (number % 10 === 9) await pause(1);
    }
    await eventually(() => expect(peer.heard.filter((text) => text.startsWith("up"))).toHaveLength(packets));
    while (heard.size < packets) heard.add((await client.receive()).data.toString());
    expect(made.relay.state().allocations).toMatchObject([{ client: phone.at, moves: 3 }]);
  });

  it("an answer that was lost is sent again, and the earlier ticket works until the new address is used", async () => {
    const made = await world();
    const { relay } = made;
    const { peer, phone, client, ticket } = await callOn(made);
    await phone.roam(AWAY);
    const away = phone.at;
    const second = await moveWith(client, ticket);
    // As if the answer had been lost, from here and from yet another address.
    const third = await moveWith(client, ticket);
    expect(third.equals(second)).toBe(false);
    await phone.roam(ELSEWHERE);
    await moveWith(client, ticket);
    expect(relay.state().allocations).toMatchObject([{ movingTo: phone.at, moves: 0 }]);
    client.sendChannel(CHANNEL, Buffer.from("from elsewhere"));
    await eventually(() => expect(peer.heard.at(-1)).toBe("from elsewhere"));
    expect(relay.state().allocations).toMatchObject([{ client: phone.at, moves: 1 }]);
    expect(away).not.toBe(phone.at);
    await phone.roam(AWAY);
    expect(await codeOf(refreshWith(client, ticket))).toBe(400);
    expect(await codeOf(refreshWith(client, third))).toBe(400);
    expect(relay.state().refused["400 mobility-ticket-replaced"]).toBe(2);
  });

  it("a move changes neither the quota of the user nor the lifetime of a deleted allocation", async () => {
    const made = await world();
    await made.apply({ quota: 1 });
    const { phone, client, ticket } = await callOn(made);
    await phone.roam(AWAY);
    const next = await moveWith(client, ticket);
    client.sendChannel(CHANNEL, Buffer.from("x"));
    await eventually(() => expect(made.relay.state().allocations).toMatchObject([{ moves: 1 }]));
    const second = await made.roaming();
    expect(await codeOf(allocate(second.client))).toBe(486);
    await phone.roam(ELSEWHERE);
    const { lifetime } = await refreshWith(client, next, { type: attribute.lifetime, value: 0 });
    expect(lifetime).toBe(0);
    expect(made.relay.state().allocations).toEqual([]);
    expect(await codeOf(allocate(second.client))).toBe("success");
  });

  it("an expired allocation, credentials of another realm and a drained relay do not matter to what they should not", async () => {
    const made = await world();
    const { phone, client, ticket } = await callOn(made);
    // Rotated: the allocation keeps its credentials, and can still move.
    await made.apply({ auth: { ...auth, realm: "other", credentials: { username: "v", password: "q" } } });
    made.relay.drain();
    await phone.roam(AWAY);
    const next = await moveWith(client, ticket);
    await client.refresh(1);
    await eventually(() => expect(made.relay.state().allocations).toEqual([]));
    await made.apply();
    await phone.roam(ELSEWHERE);
    expect(await codeOf(refreshWith(client, next))).toBe(437);
  });

  it("every refused move is named", async () => {
    const made = await world();
    const { relay } = made;
    await made.apply({ auth: ephemeral });
    const of = (user: string) => ephemeralCredentials("s", user, 600);
    const alice = of("alice");
    const bob = of("bob");
    const { phone, client } = await made.roaming(made.port, alice.username, alice.password);
    const ticket = ticketIn(await allocate(client, REQUEST));
    const refused = async (code: string, attempt: () => Promise<unknown>): Promise<void> => {
      const before = relay.state().refused[code] ?? 0;
      expect(await codeOf(attempt())).toBe(Number(code.slice(0, 3)));
      expect(relay.state().refused[code]).toBe(before + 1);
    };
    await refused("400 mobility-same-address", () => refreshWith(client, ticket));
    await refused("437 allocation-exists", () => allocate(client, REQUEST));
    await phone.roam(AWAY);
    await refused("400 mobility-ticket", () => refreshWith(client, Buffer.alloc(0)));
    await refused("400 mobility-ticket", () => allocate(client, { type: attribute.mobilityTicket, raw: ticket }));
    const forged = Buffer.from(ticket);
    forged[20]! ^= 1;
    await refused("400 mobility-ticket-unknown", () => refreshWith(client, forged));
    await refused("400 mobility-ticket-unknown", () => refreshWith(client, Buffer.alloc(700, 1)));
    await refused("437 no-allocation", () => client.refresh());
    const other = await made.roaming(made.port, bob.username, bob.password);
    await refused("441 other-user", () => refreshWith(other.client, ticket));
    const second = await made.roaming(made.port, alice.username, alice.password);
    await allocate(second.client);
    await refused("437 allocation-exists", () => refreshWith(second.client, ticket));
    const third = await made.roaming(made.otherPort, alice.username, alice.password);
    await refused("405 mobility-listener", () => refreshWith(third.client, ticket));
    // None of it has done anything to the allocation.
    expect(relay.state().allocations.map(({ moves, movingTo }) => [moves, movingTo])).toEqual([
      [0, undefined],
      [0, undefined],
    ]);
    expect(await codeOf(refreshWith(client, ticket))).toBe("success");
  });

  it("a client that does not ask gets no ticket, nor one for TCP peers", async () => {
    const { roaming, port, relay } = await world();
    const { client } = await roaming();
    expect((await allocate(client)).mobilityTicket).toBeUndefined();
    const tcp = await TurnClient.connect({ host: HOME, port, transport: "tcp", username: "u", password: "p" });
    onTestFinished(() => tcp.close());
    expect((await tcp.request(method.allocate, [TCP, REQUEST])).mobilityTicket).toBeUndefined();
    expect(relay.state().allocations).toHaveLength(2);
  });

  it("an allocation moves from one TCP connection to another", async () => {
    const { port, relay } = await world();
    const peer = await startPeer();
    const options = { host: HOME, port, transport: "tcp", username: "u", password: "p" } as const;
    const first = await TurnClient.connect(options);
    const ticket = ticketIn(await allocate(first, REQUEST));
    await first.channelBind(CHANNEL, peer.at);
    first.sendChannel(CHANNEL, Buffer.from("first"));
    await eventually(() => expect(peer.heard).toEqual(["first"]));
    // A connection that was announced and ends leaves the allocation where it is.
    const second = await TurnClient.connect(options);
    const next = await moveWith(second, ticket);
    expect(relay.state().allocations[0]).toHaveProperty("movingTo");
    second.close();
    await eventually(() => expect(relay.state().allocations[0]).not.toHaveProperty("movingTo"));
    const third = await TurnClient.connect(options);
    onTestFinished(() => third.close());
    await moveWith(third, next);
    // The end of the old connection completes the move.
    first.close();
    await eventually(() => expect(relay.state().allocations).toMatchObject([{ moves: 1, protocol: "tcp" }]));
    peer.say("to the third");
    expect((await third.receive()).data.toString()).toBe("to the third");
    third.close();
    await eventually(() => expect(relay.state().allocations).toEqual([]));
  });

  it("without mobility, clients get no ticket, and every ticket is refused", async () => {
    const { roaming, relay } = await world({ mobility: false });
    const { client, phone } = await roaming();
    expect((await allocate(client, REQUEST)).mobilityTicket).toBeUndefined();
    await phone.roam(AWAY);
    expect(await codeOf(refreshWith(client, Buffer.alloc(32, 1)))).toBe(405);
    expect(relay.state().refused["405 mobility-off"]).toBe(1);
  });
});

it.runIf(engines().includes("batch"))("several threads issue no tickets; one that relays alone does", async () => {
  engine = "batch";
  for (const [workers, expected] of [
    [1, true],
    [2, false],
  ] as const) {
    const { roaming, relay } = await world({ workers });
    const { client, phone } = await roaming();
    const { mobilityTicket } = await allocate(client, REQUEST);
    expect(mobilityTicket !== undefined).toBe(expected);
    await phone.roam(AWAY);
    expect(await codeOf(refreshWith(client, mobilityTicket ?? Buffer.alloc(32, 1)))).toBe(expected ? "success" : 405);
    await relay.refresh();
    expect(relay.state().allocations).toHaveLength(1);
  }
});
