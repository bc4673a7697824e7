/** A route that names the dataplane's own address, as in the guide to calls between browsers: which of its ports that opens. */
import { pino } from "pino";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createRelay } from "../../src/dataplane/create-relay.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { enterOwnNetwork, HOST_ADDRESS } from "../support/network.ts";

const isRoot = process.getuid?.() === 0;
const PORT = 3478;
/** From which Linux takes ports, unless told otherwise. */
const RELAYED_PORTS = "<32768-60999>";

beforeAll(() => {
  if (isRoot) enterOwnNetwork();
});

/** A dataplane at an address of this machine, with a route to `endpoint`. */
const relayTo = async (endpoint: string) => {
  const relay = createRelay({ place: { by: "config" }, own: [HOST_ADDRESS], log: pino({ level: "silent" }) });
  onTestFinished(() => relay.close());
  const route = (to: string) =>
    relay.apply({
      version: "v1",
      admin: { name: "gw" },
      auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
      listeners: [{ name: "gw/udp", protocol: "TURN-UDP", port: PORT, address: HOST_ADDRESS, routes: ["c"] }],
      clusters: [{ name: "c", type: "STATIC", protocol: "UDP", endpoints: [to] }],
    });
  await route(endpoint);
  const connect = async () => {
    const client = await TurnClient.connect({ host: HOST_ADDRESS, port: PORT, username: "u", password: "p" });
    onTestFinished(() => client.close());
    const [relayed] = (await client.allocate()).relayed;
    if (relayed === undefined) throw new Error("no relayed address");
    return { client, relayed };
  };
  return { connect, route };
};

describe.runIf(isRoot)("a route to the dataplane's own address", () => {
  it.each([
    ["every port", HOST_ADDRESS],
    ["the range of relayed ports", `${HOST_ADDRESS}:${RELAYED_PORTS}`],
  ])("connects two clients, with %s", async (_, endpoint) => {
    const { connect } = await relayTo(endpoint);
    const [caller, callee] = [await connect(), await connect()];
    await callee.client.createPermission(caller.relayed.address);
    await caller.client.channelBind(0x4000, callee.relayed);
    caller.client.sendChannel(0x4000, Buffer.from("hello"));
    expect((await callee.client.receive()).data.toString()).toBe("hello");
  });

  it.each([
    ["the listener", PORT],
    ["another service", 53],
  ])("opens %s to clients unless it has the range", async (_, port) => {
    const peer = { address: HOST_ADDRESS, port };
    const narrow = await relayTo(`${HOST_ADDRESS}:${RELAYED_PORTS}`);
    const { client } = await narrow.connect();
    await expect(client.channelBind(0x4000, peer)).rejects.toMatchObject({ code: 403 });
    await narrow.route(HOST_ADDRESS);
    await expect(client.channelBind(0x4000, peer)).resolves.toBeUndefined();
  });
});
