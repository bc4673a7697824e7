import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import pino from "pino";
import { firstValueFrom, filter, timeout } from "rxjs";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { AuthConfig, ClusterConfig, DataplaneConfig, ListenerConfig } from "../resources/dataplane-config.ts";
import { ephemeralPassword } from "../stun/ephemeral.ts";
import { ephemeralCredentials, type Credentials } from "../turn-client/credentials.ts";
import { freePort } from "../../test/support/free-port.ts";
import { TurnClient, type TurnClientOptions } from "../turn-client/turn-client.ts";
import { createRelay } from "./create-relay.ts";
import type { EngineName } from "./engines/choose.ts";
import type { Relay, RelayEvent, RelayTuning } from "./relay.ts";
import { attribute } from "../stun/attributes.ts";
import { decode, encode } from "../turn-client/codec.ts";
import { method } from "../stun/message.ts";
import { integrityIsValid, longTermKey } from "../stun/integrity.ts";
import { engines, offload } from "../../test/support/offload.ts";

const auth: AuthConfig = { type: "static", realm: "turnpike.test", credentials: { username: "u", password: "p" } };

const echo = async (address = "127.0.0.1"): Promise<{ address: string; port: number; socket: Socket }> => {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.on("message", (bytes, from) => socket.send(bytes, from.port, from.address));
  socket.bind(0, address);
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  return { address, port: socket.address().port, socket };
};

interface World {
  readonly relay: Relay;
  readonly port: number;
  readonly events: RelayEvent[];
  config(changes?: {
    readonly auth?: AuthConfig;
    readonly listeners?: readonly ListenerConfig[];
    readonly clusters?: readonly ClusterConfig[];
    readonly quota?: number;
  }): DataplaneConfig;
  client(options?: Partial<TurnClientOptions>): Promise<TurnClient>;
  event<E extends RelayEvent["event"]>(name: E): Promise<Extract<RelayEvent, { readonly event: E }>>;
}

const listener = (port: number, protocol: ListenerConfig["protocol"], more: Partial<ListenerConfig> = {}) => ({
  name: `ns/gw/${protocol}`,
  protocol,
  address: "",
  port,
  routes: ["ns/r"],
  ...more,
});

const cluster = (...endpoints: readonly string[]): ClusterConfig => ({
  name: "ns/r",
  type: "STATIC",
  protocol: "UDP",
  endpoints,
});

let engine: EngineName;
const OWN = ["127.0.0.1", "::1"];

const world = async (relayAddresses: readonly string[] = OWN, tuning: RelayTuning = {}) => {
  const place = { by: "addresses", bind: OWN, relay: relayAddresses } as const;
  const relay = createRelay({ place, own: OWN, engine, log: pino({ level: "silent" }), ...tuning });
  onTestFinished(() => relay.close());
  const events: RelayEvent[] = [];
  relay.events.subscribe((event) => events.push(event));
  const port = await freePort("127.0.0.1");
  const made: World = {
    relay,
    port,
    events,
    config: (changes = {}) => ({
      version: "v1",
      admin: { name: "ns/gw", user_quota: changes.quota ?? 0, ...offload() },
      auth: changes.auth ?? auth,
      listeners: changes.listeners ?? [listener(port, "TURN-UDP"), listener(port, "TURN-TCP")],
      clusters: changes.clusters ?? [cluster("127.0.0.1", "::1")],
    }),
    client: async (options = {}) => {
      const client = await TurnClient.connect({
        host: "127.0.0.1",
        port,
        username: "u",
        password: "p",
        retransmitMilliseconds: 2000,
        ...options,
      });
      onTestFinished(() => client.close());
      return client;
    },
    event: (name) =>
      firstValueFrom(
        relay.events.pipe(
          filter((event): event is never => event.event === name),
          timeout(10_000),
        ),
      ),
  };
  await relay.apply(made.config());
  return made;
};

const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "success",
    (error: { code?: number; message: string }) => error.code ?? error.message,
  );

const roundTrip = async (client: TurnClient, channel: number, text: string): Promise<string> => {
  client.sendChannel(channel, Buffer.from(text));
  return (await client.receive()).data.toString();
};

describe.each(engines())("with the %s engine:", (name) => {
  beforeEach(() => {
    engine = name;
  });

  describe.each([
    ["udp", "127.0.0.1"],
    ["tcp", "127.0.0.1"],
    ["udp", "::1"],
    ["tcp", "::1"],
  ] as const)("a client over %s to %s", (transport, host) => {
    it("exchanges packets with a peer by channel and by indication", async () => {
      const { relay, client: make } = await world();
      const peer = await echo(host);
      const client = await make({ transport, host });
      const family = host === "::1" ? "ipv6" : "ipv4";
      const { relayed, mapped, lifetime } = await client.allocate({ family });
      expect(relayed[0]?.address).toBe(host);
      expect(mapped?.port).toBe(client.local.port);
      expect(lifetime).toBe(600);

      await client.createPermission(host);
      for (const text of ["", "a", "four", "five!"]) {
        client.send(peer, Buffer.from(text));
        const received = await client.receive();
        expect(received).toMatchObject({ via: "indication", peer: { address: host, port: peer.port } });
        expect(received.data.toString()).toBe(text);
      }
      await client.channelBind(0x4001, peer);
      for (const text of ["", "b", "four", "five!", "x".repeat(9000)]) {
        client.sendChannel(0x4001, Buffer.from(text));
        const received = await client.receive();
        expect(received).toMatchObject({ via: "channel", channel: 0x4001 });
        expect(received.data.toString()).toBe(text);
      }
      expect(relay.state().allocations).toMatchObject([
        { user: "u", protocol: transport, packetsIn: 9, packetsOut: 9, channels: [{ number: 0x4001 }] },
      ]);
      expect(await client.refresh(0)).toBe(0);
      expect(relay.state().allocations).toEqual([]);
      expect(await code(client.refresh())).toBe(437);
    });
  });

  describe("a request", () => {
    it("is answered with where it came from when it is a Binding", async () => {
      const { client: make } = await world();
      const client = await make();
      expect(await client.binding()).toEqual({ address: "127.0.0.1", port: client.local.port });
    });

    it("is refused with 401 for a wrong password or user", async () => {
      const { client: make } = await world();
      expect(await code((await make({ password: "wrong" })).allocate())).toBe(401);
      expect(await code((await make({ username: "wrong" })).allocate())).toBe(401);
    });

    it("is refused with 403 when its peer is not admitted, and reports the reason", async () => {
      const { client: make, event, relay } = await world();
      const client = await make();
      await client.allocate();
      const refused = event("peer.refused");
      expect(await code(client.createPermission("10.0.0.9"))).toBe(403);
      expect(await refused).toMatchObject({
        gateway: "ns/gw",
        listener: "ns/gw/TURN-UDP",
        user: "u",
        peer: "10.0.0.9",
        reason: "no cluster routed by listener ns/gw/TURN-UDP contains 10.0.0.9",
      });
      expect(await code(client.channelBind(0x4000, { address: "10.0.0.9", port: 9 }))).toBe(403);
      expect(await code(client.createPermission("127.0.0.1", "10.0.0.9"))).toBe(403);
      expect(relay.state().denied).toEqual({ "no-cluster": 3 });
    });

    it("is refused with the code that the RFC gives", async () => {
      const { client: make } = await world(["127.0.0.1"]);
      const client = await make();
      const peer = { address: "127.0.0.1", port: 9 };
      expect(await code(client.createPermission("127.0.0.1"))).toBe(437);
      expect(await code(client.allocate({ family: "ipv6" }))).toBe(440);
      expect(await code(client.request(method.allocate, []))).toBe(400);
      const sctp = [{ type: attribute.requestedTransport, value: 132 * 0x1000000 }];
      expect(await code(client.request(method.allocate, sctp))).toBe(442);
      const unknown = [{ type: 0x07ad, raw: Buffer.alloc(4) }];
      expect(await code(client.request(method.allocate, unknown))).toBe(420);
      await client.allocate();
      expect(await code(client.allocate())).toBe(437);
      expect(await code(client.createPermission("::1"))).toBe(443);
      expect(await code(client.createPermission())).toBe(400);
      expect(await code(client.channelBind(0x3fff, peer))).toBe(400);
      expect(await code(client.channelBind(0x8000, peer))).toBe(400);
      await client.channelBind(0x4000, peer);
      await client.channelBind(0x4000, peer);
      expect(await code(client.channelBind(0x4001, peer))).toBe(400);
      expect(await code(client.channelBind(0x4000, { ...peer, port: 10 }))).toBe(400);
    });

    it("is answered the same when it is retransmitted", async () => {
      const { relay, port, events } = await world();
      const socket = createSocket("udp4");
      onTestFinished(() => void socket.close());
      const answers: Buffer[] = [];
      socket.on("message", (bytes) => answers.push(bytes));
      const allocate = { method: method.allocate, class: "request", transactionId: Buffer.alloc(12, 1) } as const;
      const transport = { type: attribute.requestedTransport, value: 17 * 0x1000000 };
      socket.send(encode({ ...allocate, attributes: [transport] }), port, "127.0.0.1");
      await expect.poll(() => answers.length).toBe(1);
      const challenge = decode(answers[0]!);
      const nonce = (challenge.kind === "message" && challenge.message.nonce) || "";
      const { realm } = auth;
      const credentials = [
        { type: attribute.username, value: "u" },
        { type: attribute.realm, value: realm },
        { type: attribute.nonce, value: nonce },
      ];
      const key = longTermKey("u", realm, "p");
      const signed = encode({ ...allocate, attributes: [transport, ...credentials], key });
      // The second comes while the first is being answered, the third afterwards.
      socket.send(signed, port, "127.0.0.1");
      socket.send(signed, port, "127.0.0.1");
      await expect.poll(() => answers.length).toBeGreaterThanOrEqual(2);
      const before = answers.length;
      socket.send(signed, port, "127.0.0.1");
      await expect.poll(() => answers.length).toBeGreaterThan(before);
      expect(new Set(answers.slice(1).map((bytes) => bytes.toString("hex"))).size).toBe(1);
      expect(relay.state().allocations).toHaveLength(1);
      expect(events.filter(({ event }) => event === "allocation.opened")).toHaveLength(1);
    });

    it("is refused with 441 when it comes from another user than the allocation", async () => {
      const here = await world();
      const secret = "not-a-secret";
      await here.relay.apply(here.config({ auth: { type: "ephemeral", realm: "r", credentials: { secret } } }));
      const socket = createSocket("udp4");
      onTestFinished(() => void socket.close());
      let nonce = "";
      const ask = async (asked: number, { username, password }: Credentials): Promise<number> => {
        const attributes = [
          { type: attribute.requestedTransport, value: 17 * 0x1000000 },
          { type: attribute.username, value: username },
          { type: attribute.realm, value: "r" },
          { type: attribute.nonce, value: nonce },
        ];
        const key = nonce === "" ? undefined : longTermKey(username, "r", password);
        const given = key === undefined ? attributes.slice(0, 1) : attributes;
        const request = { method: asked, class: "request", transactionId: randomBytes(12) } as const;
        socket.send(encode({ ...request, attributes: given, key }), here.port, "127.0.0.1");
        const [bytes] = (await once(socket, "message")) as [Buffer];
        const decoded = decode(bytes);
        if (decoded.kind !== "message") throw new Error(decoded.code);
        const { message } = decoded;
        nonce = message.nonce ?? nonce;
        // An answer to somebody who is known is signed, refusals too.
        if (key !== undefined && ![401, 438].includes(message.error?.code ?? 0))
          expect(integrityIsValid(message.bytes, message.integrityAt!, key)).toBe(true);
        return message.error?.code ?? 0;
      };
      const [alice, renewed, bob] = [60, 120, 60].map((ttl, at) =>
        ephemeralCredentials(secret, at === 2 ? "bob" : "alice", ttl),
      ) as [Credentials, Credentials, Credentials];
      expect(await ask(method.allocate, alice)).toBe(401);
      expect(await ask(method.allocate, alice)).toBe(0);
      expect(await ask(method.refresh, bob)).toBe(441);
      expect(await ask(method.refresh, renewed)).toBe(0);
      expect(await ask(method.refresh, { ...alice, password: "wrong" })).toBe(401);
      nonce = "AAAAAAAAAAAAAAAA";
      expect(await ask(method.refresh, alice)).toBe(438);
      expect(nonce).not.toBe("AAAAAAAAAAAAAAAA");
      expect(await ask(method.refresh, alice)).toBe(0);
    });

    it("counts against the user's quota", async () => {
      const { relay, config, client: make } = await world();
      await relay.apply(config({ quota: 1 }));
      const [one, two] = [await make(), await make()];
      await one.allocate();
      expect(await code(two.allocate())).toBe(486);
      await one.refresh(0);
      expect(await code(two.allocate())).toBe("success");
    });

    it.each([
      ["EXPIRY:alice", (expiry: number) => `${expiry}:alice`],
      ["EXPIRY:@bob:example.org", (expiry: number) => `${expiry}:@bob:example.org`],
      ["carol:EXPIRY", (expiry: number) => `carol:${expiry}`],
      ["EXPIRY:a:b:c", (expiry: number) => `${expiry}:a:b:c`],
    ])("counts %s against the quota of its user, whenever its time ends", async (_, nameOf) => {
      const { relay, config, client: make } = await world();
      await relay.apply(
        config({ quota: 1, auth: { type: "ephemeral", realm: "turnpike.test", credentials: { secret: "s" } } }),
      );
      const expiry = Math.floor(Date.now() / 1000) + 3600;
      const credentials = (username: string) => ({ username, password: ephemeralPassword("s", username) });
      const [one, two] = [await make(credentials(nameOf(expiry))), await make(credentials(nameOf(expiry + 1)))];
      await one.allocate();
      expect(await code(two.allocate())).toBe(486);
      await one.refresh(0);
      expect(await code(two.allocate())).toBe("success");
    });

    it("accepts every secret of a rotation, and none that it ended with", async () => {
      const { relay, config, client: make } = await world();
      const rotate = (credentials: Readonly<Record<string, string>>) =>
        relay.apply(config({ auth: { type: "ephemeral", realm: "turnpike.test", credentials } }));
      const allocateWith = async (secret: string) =>
        code((await make(ephemeralCredentials(secret, "alice", 60))).allocate());
      await rotate({ secret: "old" });
      expect([await allocateWith("old"), await allocateWith("new")]).toEqual(["success", 401]);
      await rotate({ secret: "new", "secret.old": "old" });
      expect([await allocateWith("old"), await allocateWith("new")]).toEqual(["success", "success"]);
      expect(await allocateWith("other")).toBe(401);
      await rotate({ secret: "new" });
      expect([await allocateWith("old"), await allocateWith("new")]).toEqual([401, "success"]);
    });

    it("counts clients whose time-limited credentials name no user each for itself", async () => {
      const { relay, config, client: make } = await world();
      await relay.apply(
        config({ quota: 1, auth: { type: "ephemeral", realm: "turnpike.test", credentials: { secret: "s" } } }),
      );
      const expiry = Math.floor(Date.now() / 1000) + 3600;
      for (const username of [`${expiry}`, `${expiry}`, `${expiry}:`, `${expiry}:`, `:${expiry}`]) {
        const client = await make({ username, password: ephemeralPassword("s", username) });
        expect(await code(client.allocate())).toBe("success");
      }
    });

    it("gets IPv6 when it names no family and the relay has no IPv4 address, unless the RFC is to be kept strictly", async () => {
      for (const transport of ["udp", "tcp"] as const) {
        const { client: make } = await world(["::1"]);
        const client = await make({ transport });
        expect((await client.allocate()).relayed.map(({ address }) => address)).toEqual(["::1"]);
        const named = await make({ transport });
        expect(await code(named.allocate({ family: "ipv4" }))).toBe(440);
        const strict = await world(["::1"], { strictAddressFamily: true });
        expect(await code((await strict.client({ transport })).allocate())).toBe(440);
      }
    });

    it("calls another client of the relay where the route is a wildcard, and nothing else of the relay's machine", async () => {
      const here = await world(["127.0.0.1"]);
      await here.relay.apply(here.config({ clusters: [cluster("0.0.0.0/0")] }));
      const peer = await echo();
      const caller = await here.client();
      await caller.allocate();
      // Nobody else is here: what is on loopback is a service of the machine.
      expect(await code(caller.createPermission("127.0.0.1"))).toBe(403);

      const called = await here.client({ transport: "tcp" });
      const [[from], [to]] = [
        (await caller.refresh(), [...here.relay.state().allocations]),
        (await called.allocate()).relayed,
      ];
      const port = Number(from!.relayed.split(":").at(-1));
      await caller.channelBind(0x4000, to!);
      await called.channelBind(0x4001, { address: "127.0.0.1", port });
      caller.sendChannel(0x4000, Buffer.from("ring"));
      expect((await called.receive()).data.toString()).toBe("ring");
      called.sendChannel(0x4001, Buffer.from("hello"));
      expect((await caller.receive()).data.toString()).toBe("hello");

      for (const closed of [peer, { address: "127.0.0.1", port: here.port }]) {
        expect(await code(caller.channelBind(0x4005, closed))).toBe(403);
        caller.send(closed, Buffer.from("closed"));
      }
      await expect.poll(() => here.relay.state().dropped["not-admitted"]).toBe(2);

      // Once it hangs up, its port may become any program's.
      await called.refresh(0);
      await expect
        .poll(() => {
          caller.sendChannel(0x4000, Buffer.from("anyone?"));
          return here.relay.state().dropped["not-admitted"];
        })
        .toBeGreaterThan(2);
    });

    it("gets an even port, and the next one for the token", async () => {
      const { client: make } = await world();
      const [one, two] = [await make(), await make()];
      const { relayed, reservationToken } = await one.allocate({ evenPort: "reserve" });
      expect(relayed[0]!.port % 2).toBe(0);
      const next = await two.allocate({ reservationToken: reservationToken! });
      expect(next.relayed[0]!.port).toBe(relayed[0]!.port + 1);
      const three = await make();
      expect(await code(three.allocate({ reservationToken: reservationToken! }))).toBe(508);
    });

    it("gets an address of each family when it asks for both", async () => {
      const { client: make } = await world();
      const client = await make();
      const { relayed } = await client.allocate({ dual: true });
      expect(relayed.map(({ address }) => address)).toEqual(["127.0.0.1", "::1"]);
      for (const [channel, host] of [
        [0x4000, "127.0.0.1"],
        [0x4001, "::1"],
      ] as const) {
        await client.channelBind(channel, await echo(host));
        expect(await roundTrip(client, channel, host)).toBe(host);
      }
    });

    it("gets the address that is additional as the last attribute", async () => {
      const { client: make } = await world();
      const { bytes } = await (
        await make()
      ).request(method.allocate, [
        { type: attribute.requestedTransport, value: 17 * 0x1000000 },
        { type: attribute.additionalAddressFamily, raw: Buffer.from([2, 0, 0, 0]) },
      ]);
      const types: number[] = [];
      for (let at = 20; at < bytes.length; at += 4 + ((bytes.readUInt16BE(at + 2) + 3) & ~3))
        types.push(bytes.readUInt16BE(at));
      const { xorRelayedAddress, lifetime, xorMappedAddress, messageIntegrity } = attribute;
      expect(types).toEqual([xorRelayedAddress, lifetime, xorMappedAddress, xorRelayedAddress, messageIntegrity]);
    });

    it("names the missing family when the client asks for both", async () => {
      const { client: make } = await world(["127.0.0.1"]);
      const { relayed, addressError } = await (await make()).allocate({ dual: true });
      expect(relayed).toHaveLength(1);
      expect(addressError).toEqual({ family: 2, code: 440 });
    });
  });

  describe("a config", () => {
    const open = async (from: World, options: Partial<TurnClientOptions> = {}) => {
      const client = await from.client(options);
      await client.allocate();
      return client;
    };

    it("cuts off a revoked endpoint before apply returns, and nobody else", async () => {
      const here = await world();
      const [gone, stays] = [await echo(), await echo()];
      const endpoints = [gone, stays].map(({ address, port }) => `${address}:<${port}-${port}>`);
      await here.relay.apply(here.config({ clusters: [cluster(...endpoints)] }));
      const [one, two] = [await open(here), await open(here)];
      await one.channelBind(0x4000, gone);
      await two.channelBind(0x4000, stays);
      expect(await roundTrip(one, 0x4000, "hello")).toBe("hello");

      const applied = here.relay.apply(here.config({ clusters: [cluster(endpoints[1]!)] }));
      expect(here.relay.state().allocations.map(({ channels }) => channels.length)).toEqual([0, 1]);
      expect((await applied).admission).toEqual([
        { change: "revoke", cluster: "ns/r", endpoint: endpoints[0], permissions: 0, channels: 1 },
      ]);
      one.sendChannel(0x4000, Buffer.from("lost"));
      await expect.poll(() => here.relay.state().dropped["no-channel"]).toBe(1);
      expect(await code(one.channelBind(0x4000, gone))).toBe(403);
      expect(await roundTrip(two, 0x4000, "still here")).toBe("still here");

      const last = here.relay.apply(here.config({ clusters: [] }));
      expect(here.relay.state().allocations.flatMap(({ permissions }) => permissions)).toEqual([]);
      expect((await last).admission).toMatchObject([{ change: "revoke", permissions: 2, channels: 1 }]);
      const refused = here.event("peer.refused");
      expect(await code(two.createPermission("127.0.0.1"))).toBe(403);
      expect(await refused).toMatchObject({ reason: "endpoint was revoked" });
    });

    it("applies the last config, however fast they come", async () => {
      const here = await world();
      const listeners = [{ ...listener(here.port, "TURN-UDP"), name: "ns/gw/new" }];
      const none = [{ ...listeners[0]!, routes: [] }];
      const reports = await Promise.all([
        here.relay.apply(here.config({ listeners })),
        here.relay.apply(here.config({ listeners: none })),
        here.relay.apply(here.config({ listeners: [] })),
        here.relay.apply(here.config({ listeners: none })),
      ]);
      expect(reports.map((report) => report.listeners.map(({ change }) => change))).toEqual([
        ["stopped", "stopped", "started"],
        ["updated"],
        ["stopped"],
        ["started"],
      ]);
      const client = await here.client();
      await client.allocate();
      expect(await code(client.createPermission("127.0.0.1"))).toBe(403);
    });

    it("cuts off the peers of a route that a listener no longer has", async () => {
      const here = await world();
      const peer = await echo();
      const client = await open(here);
      await client.channelBind(0x4000, peer);
      const rerouted = [listener(here.port, "TURN-UDP", { routes: [] }), listener(here.port, "TURN-TCP")];
      const applied = here.relay.apply(here.config({ listeners: rerouted }));
      expect(here.relay.state().allocations).toMatchObject([{ permissions: [], channels: [] }]);
      expect(await applied).toMatchObject({
        admission: [{ change: "revoke", cluster: "ns/r", endpoint: "127.0.0.1", permissions: 1, channels: 1 }],
        listeners: [{ listener: "ns/gw/TURN-UDP", change: "updated" }],
      });
      await here.relay.apply(here.config());
      await client.channelBind(0x4000, peer);
      expect(await roundTrip(client, 0x4000, "back")).toBe("back");
    });

    it("keeps a draining endpoint flowing", async () => {
      const here = await world();
      const client = await open(here);
      await client.channelBind(0x4000, await echo());
      const draining = new Map([["ns/r", new Set(["127.0.0.1"])]]);
      const { admission } = await here.relay.apply(here.config(), { draining });
      expect(admission).toEqual([{ change: "drain", cluster: "ns/r", endpoint: "127.0.0.1" }]);
      expect(await roundTrip(client, 0x4000, "on")).toBe("on");
      expect((await here.relay.apply(here.config())).admission).toMatchObject([{ change: "admit" }]);
    });

    it("is refused whole when it does not validate, and the one before stays", async () => {
      const here = await world();
      const client = await open(here);
      await client.channelBind(0x4000, await echo());
      const wrong = here.config({ clusters: [cluster("nonsense")], auth: { ...auth, realm: "other" } });
      await expect(here.relay.apply(wrong)).rejects.toMatchObject({ code: "config-invalid" });
      expect(await roundTrip(client, 0x4000, "on")).toBe("on");
      expect(await code((await here.client()).allocate())).toBe("success");
    });

    it("may rotate credentials: calls go on, new ones need the new credentials", async () => {
      const here = await world();
      const client = await open(here);
      const peer = await echo();
      await client.channelBind(0x4000, peer);
      await here.relay.apply(here.config({ auth: { ...auth, credentials: { username: "v", password: "q" } } }));
      expect(await client.refresh()).toBe(600);
      await client.channelBind(0x4000, peer);
      expect(await roundTrip(client, 0x4000, "on")).toBe("on");
      expect(await code((await here.client()).allocate())).toBe(401);
      expect(await code((await here.client({ username: "v", password: "q" })).allocate())).toBe("success");
    });

    it("may change the realm: calls go on", async () => {
      const here = await world();
      const client = await open(here);
      await client.channelBind(0x4000, await echo());
      const { listeners } = await here.relay.apply(here.config({ auth: { ...auth, realm: "other.test" } }));
      expect(listeners).toEqual([]);
      expect(await client.refresh()).toBe(600);
      await client.createPermission("127.0.0.1");
      expect(await roundTrip(client, 0x4000, "on")).toBe("on");
      expect(await code((await here.client()).allocate())).toBe("success");
    });

    it("may authenticate by ephemeral credentials, or nobody at all", async () => {
      const here = await world();
      await here.relay.apply(
        here.config({ auth: { type: "ephemeral", realm: "r", credentials: { secret: "not-a-secret" } } }),
      );
      await open(here, ephemeralCredentials("not-a-secret", "alice", 60));
      expect(here.relay.state().allocations).toMatchObject([{ user: "alice" }]);
      const expired = await here.client(ephemeralCredentials("not-a-secret", "alice", -60));
      expect(await code(expired.allocate())).toBe(401);
      await here.relay.apply(here.config({ auth: { type: "none", realm: "r", credentials: {} } }));
      const anyone = await here.client();
      expect(await anyone.binding()).toBeDefined();
      expect(await code(anyone.allocate())).toBe(403);
    });

    it("may swap the ports of two listeners, and restarts only what moved", async () => {
      const here = await world();
      const second = await freePort("127.0.0.1");
      const a = { ...listener(here.port, "TURN-UDP"), name: "ns/gw/a" };
      const b = { ...listener(second, "TURN-UDP"), name: "ns/gw/b" };
      const c = { ...listener(second, "TURN-TCP"), name: "ns/gw/c" };
      await here.relay.apply(here.config({ listeners: [a, b, c] }));
      const kept = await open(here, { transport: "tcp", port: second });
      const lost = await open(here);
      const { listeners } = await here.relay.apply(
        here.config({ listeners: [{ ...a, port: second }, { ...b, port: here.port }, c] }),
      );
      expect(listeners).toMatchObject([
        { listener: "ns/gw/a", change: "restarted", at: [`127.0.0.1:${second}`, `[::1]:${second}`] },
        { listener: "ns/gw/b", change: "restarted" },
      ]);
      expect(await code(kept.refresh())).toBe("success");
      expect(await code(lost.refresh())).toBe(437);
    });

    it("reports a listener that it cannot serve and one that it cannot bind, and serves the rest", async () => {
      const here = await world();
      const taken = createServer().listen(0, "127.0.0.1");
      await once(taken, "listening");
      onTestFinished(() => void taken.close());
      const address = taken.address() as { port: number };
      const tls = listener(5349, "TURN-TLS");
      const busy = { ...listener(address.port, "TURN-TCP"), name: "ns/gw/busy" };
      const failed = here.event("listener.failed");
      const listeners = [listener(here.port, "TURN-UDP"), tls, busy];
      const report = await here.relay.apply(here.config({ listeners }));
      expect(report.listeners).toMatchObject(
        [
          { listener: "ns/gw/TURN-TCP", change: "stopped" },
          { listener: "ns/gw/TURN-TLS", change: "failed", reason: /no certificate/ },
          { listener: "ns/gw/busy", change: "failed", reason: /EADDRINUSE/ },
        ].map((one) =>
          expect.objectContaining({ ...one, ...(one.reason && { reason: expect.stringMatching(one.reason) }) }),
        ),
      );
      expect(await failed).toMatchObject({ gateway: "ns/gw", listener: "ns/gw/TURN-TLS" });
      expect(await code((await here.client()).allocate())).toBe("success");
      await new Promise((resolve) => taken.close(resolve));
      const again = await here.relay.apply(here.config({ listeners }));
      expect(again.listeners).toContainEqual(expect.objectContaining({ listener: "ns/gw/busy", change: "started" }));
    });

    it("admits what a name resolves to, unless only a manifest may name it", async () => {
      const here = await world();
      const client = await open(here);
      const names: ClusterConfig = { name: "ns/r", type: "STRICT_DNS", protocol: "UDP", endpoints: ["localhost"] };
      await here.relay.apply(here.config({ clusters: [names] }));
      expect(await code(client.createPermission("127.0.0.1"))).toBe(403);
      const mixed = [names, { ...cluster("127.0.0.1"), name: "ns/s" }];
      const listeners = [listener(here.port, "TURN-UDP", { routes: ["ns/r", "ns/s"] })];
      await here.relay.apply(here.config({ clusters: mixed, listeners }));
      expect(await code(client.createPermission("127.0.0.1"))).toBe("success");
    });

    it("does not touch another gateway, and takes its allocations along when it goes", async () => {
      const here = await world();
      const other = await freePort("127.0.0.1");
      await here.relay.apply({
        ...here.config({ listeners: [{ ...listener(other, "TURN-UDP"), name: "ns/other/l" }] }),
        admin: { name: "ns/other" },
      });
      const [one, two] = [await open(here), await open(here, { port: other })];
      expect(await here.relay.remove("ns/gw")).toBe(1);
      expect(await code(two.refresh())).toBe("success");
      expect(here.relay.state().listeners.map(({ name }) => name)).toEqual(["ns/other/l"]);
      one.close();
    });
  });

  describe("a relay that drains", () => {
    it("sends new clients to the alternate server of their family, and keeps those that are there", async () => {
      const here = await world(OWN, { alternateServers: [{ address: "192.0.2.7", port: 3479 }] });
      const before = await here.client();
      await before.allocate();
      here.relay.drain();
      const late = await here.client();
      // `allocate` would follow it.
      const asked = late.request(method.allocate, [{ type: attribute.requestedTransport, value: 17 * 0x1000000 }]);
      const refused: unknown = await asked.catch((error: unknown) => error);
      expect(refused).toMatchObject({
        code: 300,
        response: { alternateServer: { address: "192.0.2.7", port: 3479 }, integrityAt: expect.any(Number) },
      });
      expect(await code((await here.client({ password: "wrong" })).allocate())).toBe(401);
      expect(await before.refresh()).toBe(600);
      await before.channelBind(0x4000, await echo());
      expect(await roundTrip(before, 0x4000, "on")).toBe("on");
      // Nowhere to send it to.
      expect(await code((await here.client({ host: "::1" })).allocate({ family: "ipv6" }))).toBe("success");
    });

    it("serves on where no alternate is named", async () => {
      const here = await world();
      here.relay.drain();
      expect(await code((await here.client()).allocate())).toBe("success");
    });
  });

  describe("STUN alone (auth none)", () => {
    it("answers Binding, and refuses every TURN request whether or not it is signed", async () => {
      const here = await world();
      const before = await here.client();
      await before.allocate();
      await here.relay.apply(here.config({ auth: { type: "none", realm: "r", credentials: {} } }));
      for (const transport of ["udp", "tcp"] as const) {
        const anyone = await here.client({ transport });
        expect(await anyone.binding()).toEqual({ address: "127.0.0.1", port: anyone.local.port });
        expect(await code(anyone.allocate())).toBe(403);
        expect(await code(anyone.refresh())).toBe(403);
        expect(await code(anyone.createPermission("127.0.0.1"))).toBe(403);
        expect(await code(anyone.channelBind(0x4000, { address: "127.0.0.1", port: 9 }))).toBe(403);
      }
      // No call is lost to it.
      expect(await before.refresh()).toBe(600);
      await here.relay.apply(here.config());
      expect(await code((await here.client()).allocate())).toBe("success");
    });
  });

  describe("an allocation", () => {
    it("ends when its lifetime is over", async () => {
      const here = await world();
      const client = await here.client();
      const opened = here.event("allocation.opened");
      expect((await client.allocate({ lifetime: 1 })).lifetime).toBe(1);
      const { id } = await opened;
      expect(await here.event("allocation.closed")).toMatchObject({ id, reason: "expired", user: "u" });
      expect(here.relay.state().allocations).toEqual([]);
    });

    it("ends with its TCP connection", async () => {
      const here = await world();
      const client = await here.client({ transport: "tcp" });
      await client.allocate();
      const closed = here.event("allocation.closed");
      client.close();
      expect(await closed).toMatchObject({ reason: "client closed the connection" });
    });

    it("does not relay what an unknown peer sends", async () => {
      const here = await world();
      const client = await here.client();
      const { relayed } = await client.allocate();
      const unknown = await echo();
      unknown.socket.send("boo", relayed[0]!.port, relayed[0]!.address);
      await expect.poll(() => here.relay.state().dropped["no-permission"]).toBe(1);
    });
  });

  describe("garbage", () => {
    it("does not harm anyone over UDP", async () => {
      const here = await world();
      const client = await here.client();
      await client.allocate();
      await client.channelBind(0x4000, await echo());
      const socket = createSocket("udp4");
      onTestFinished(() => void socket.close());
      const random = (): number => Math.floor(Math.random() * 256);
      for (let count = 0; count < 2000; count++) {
        const bytes = Buffer.from(Array.from({ length: random() }, random));
        if (bytes.length > 20 && count % 2 === 0) {
          bytes.writeUInt16BE(random() & 0x3f, 0);
          bytes.writeUInt16BE((bytes.length - 20) & ~3, 2);
          bytes.writeUInt32BE(0x2112a442, 4);
        }
        socket.send(bytes.subarray(0, bytes.length & ~3), here.port, "127.0.0.1");
        if (count % 100 === 0) client.sendRaw(bytes);
      }
      expect(await roundTrip(client, 0x4000, "on")).toBe("on");
    });

    it("closes a TCP connection and is counted", async () => {
      const here = await world();
      const socket = connect(here.port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(Buffer.alloc(100, 0xff));
      await once(socket, "close");
      expect(here.relay.state().dropped["frame-garbage"]).toBe(1);
      const client = await here.client({ transport: "tcp" });
      expect(await code(client.allocate())).toBe("success");
    });

    it("is not amplified", async () => {
      const here = await world();
      await here.relay.apply(here.config({ auth: { ...auth, realm: "a-realm-that-is-long".repeat(10) } }));
      const socket = createSocket("udp4");
      onTestFinished(() => void socket.close());
      const answered = (): number =>
        here.relay.state().listeners.find(({ protocol }) => protocol === "TURN-UDP")?.packetsOut ?? 0;
      const request = encode({ method: method.refresh, class: "request", transactionId: Buffer.alloc(12, 1) });
      const dropped = (): number => here.relay.state().dropped["amplification"] ?? 0;
      const startedAt = performance.now();
      const burst = (): void => {
        for (let count = 0; count < 300; count++) socket.send(request, here.port, "127.0.0.1");
      };
      await expect
        .poll(() => {
          burst();
          return dropped();
        })
        .toBeGreaterThan(0);
      // 200 at once and 200 a second, however long a busy machine takes over them.
      const seconds = (performance.now() - startedAt) / 1000;
      expect(answered()).toBeLessThanOrEqual(200 * (1 + seconds));
    });
  });
});
