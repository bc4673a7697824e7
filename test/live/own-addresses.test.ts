/** A listener on all addresses of a host that has several: what answers a client comes from the address that it asked. */
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { pino } from "pino";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createRelay } from "../../src/dataplane/create-relay.ts";
import type { RelayOptions } from "../../src/dataplane/relay.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { makeCertificate, type TestCertificate } from "../support/certificate.ts";
import { freePort } from "../support/free-port.ts";
import { startEchoBackend } from "../support/live.ts";
import { enterOwnNetwork } from "../support/network.ts";

const isRoot = process.getuid?.() === 0;
const [PLAIN, SECURE] = [3478, 5349];
const ADDRESSES = ["127.0.0.1", "10.99.0.1", "10.99.0.2", "192.0.2.7", "::1", "fd99::1", "fd99::2"];
let certificate: TestCertificate;

beforeAll(() => {
  if (!isRoot) return;
  enterOwnNetwork();
  for (const address of ADDRESSES.filter((one) => one !== "127.0.0.1" && one !== "::1"))
    expect(
      spawnSync("ip", ["address", "add", `${address}/${address.includes(":") ? 64 : 24}`, "dev", "lo", "nodad"]).status,
    ).toBe(0);
  certificate = makeCertificate();
});

const start = async (options: Pick<RelayOptions, "engine" | "workers">) => {
  const relay = createRelay({ place: { by: "config" }, own: [], log: pino({ level: "silent" }), ...options });
  onTestFinished(() => relay.close());
  const { cert64: cert, key64: key } = certificate;
  const wildcard = { address: "0.0.0.0", routes: ["c"] };
  const { listeners } = await relay.apply({
    version: "v1",
    admin: { name: "gw" },
    auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
    listeners: [
      { ...wildcard, name: "gw/udp", protocol: "TURN-UDP", port: PLAIN },
      { ...wildcard, name: "gw/tcp", protocol: "TURN-TCP", port: PLAIN },
      { ...wildcard, name: "gw/dtls", protocol: "TURN-DTLS", port: SECURE, cert, key },
    ],
    clusters: [{ name: "c", type: "STATIC", protocol: "UDP", endpoints: ADDRESSES }],
  });
  expect(listeners.map(({ change }) => change)).toEqual(["started", "started", "started"]);
  return relay;
};

describe.runIf(isRoot).each([
  ["the batch engine", { engine: "batch" }],
  ["the batch engine on threads", { engine: "batch", workers: 3 }],
  ["the dgram engine", { engine: "dgram" }],
] as const)("with %s", (_, options) => {
  it("answers and relays from each address that clients ask", async () => {
    const relay = await start(options);
    for (const host of ADDRESSES) {
      const echo = await startEchoBackend(host);
      onTestFinished(() => echo.close());
      for (const transport of ["udp", "dtls", "tcp"] as const) {
        // The client's socket is connected: it receives nothing from other addresses.
        const client = await TurnClient.connect({
          host,
          port: transport === "dtls" ? SECURE : PLAIN,
          transport,
          username: "u",
          password: "p",
          insecure: true,
        });
        onTestFinished(() => client.close());
        await client.allocate({ family: host.includes(":") ? "ipv6" : "ipv4" });
        await client.createPermission(host);
        client.send(echo, Buffer.from("indication"));
        expect((await client.receive()).data.toString()).toBe("indication");
        await client.channelBind(0x4000, echo);
        // Several in a row leave in one call, and maybe as one message.
        for (let packet = 0; packet < 20; packet += 1)
          client.sendChannel(0x4000, Buffer.from(`packet ${packet}`.padEnd(40)));
        for (let packet = 0; packet < 20; packet += 1)
          expect((await client.receive()).data.toString().trim()).toBe(`packet ${packet}`);
      }
    }
    await relay.refresh();
    const servers = relay.state().allocations.map(({ server }) => server);
    expect(servers).toHaveLength(3 * ADDRESSES.length);
    expect(new Set(servers).size).toBe(2 * ADDRESSES.length);
  });

  it("keeps apart the allocations that one client address has at two of the relay's addresses", async () => {
    const relay = await start(options);
    const echo = await startEchoBackend("10.99.0.1");
    onTestFinished(() => echo.close());
    const port = await freePort("10.99.0.1");
    const from = async (host: string): Promise<TurnClient> => {
      const socket = createSocket({ type: "udp4", reuseAddr: true });
      socket.bind(port, "10.99.0.1");
      await once(socket, "listening");
      socket.connect(PLAIN, host);
      await once(socket, "connect");
      const client = await TurnClient.connect({
        host,
        port: PLAIN,
        username: "u",
        password: "p",
        transport: (receiver) => {
          socket.on("message", (bytes) => receiver.message(bytes));
          return {
            isReliable: false,
            local: socket.address(),
            send: (bytes) => socket.send(bytes),
            close: () => socket.close(),
          };
        },
      });
      onTestFinished(() => client.close());
      await client.allocate();
      await client.channelBind(0x4000, echo);
      return client;
    };
    const [one, two] = [await from("10.99.0.2"), await from("192.0.2.7")];
    for (const [client, text] of [
      [one, "one"],
      [two, "two"],
      [one, "one again"],
    ] as const) {
      client.sendChannel(0x4000, Buffer.from(text));
      expect((await client.receive()).data.toString()).toBe(text);
    }
    await relay.refresh();
    const { allocations } = relay.state();
    expect(new Set(allocations.map(({ client }) => client)).size).toBe(1);
    expect(allocations.map(({ server, packetsIn }) => [server, packetsIn]).toSorted()).toEqual([
      [`10.99.0.2:${PLAIN}`, 2],
      [`192.0.2.7:${PLAIN}`, 1],
    ]);
  });
});
