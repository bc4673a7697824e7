/** Clients behind a load balancer that speaks PROXY version 2, over TCP and TLS. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { TurnClient } from "../../src/turn-client/turn-client.ts";
import { startTestDataplane, type TestDataplane } from "../support/dataplane.ts";
import { startEchoBackend, type EchoBackend } from "../support/live.ts";
import { localHeader, proxyHeader } from "../support/proxy-header.ts";
import { turnOver } from "../support/turn-over.ts";

const front = { address: "198.51.100.1", port: 443 };
let dataplane: TestDataplane;
let echo: EchoBackend;

beforeEach(async () => {
  echo = await startEchoBackend();
  dataplane = await startTestDataplane(
    {},
    { relay: { proxyProtocol: true, limits: { idleConnectionMilliseconds: 300 } } },
  );
  onTestFinished(async () => {
    await dataplane.stop();
    await echo.close();
  });
});

const open = async (port: number, first: Buffer): Promise<Socket> => {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(first);
  return socket;
};

/** A client that the header says it is. */
const clientOf = async (transport: "tcp" | "tls", header: Buffer): Promise<TurnClient> => {
  const raw = await open(dataplane.ports[transport], header);
  const socket = transport === "tcp" ? raw : connectTls({ socket: raw, rejectUnauthorized: false });
  if (transport === "tls") await once(socket, "secureConnect");
  return turnOver(socket);
};

describe.each(["tcp", "tls"] as const)("over %s", (transport) => {
  it.each([
    ["IPv4", { address: "203.0.113.5", port: 40_000 }, front],
    ["IPv6", { address: "2001:db8::5", port: 40_001 }, { address: "2001:db8::1", port: 443 }],
  ])("a client is who the header says, everywhere: %s", async (_, source, destination) => {
    const client = await clientOf(transport, proxyHeader(source, destination, Buffer.from([4, 0, 1, 0])));
    expect(await client.binding()).toEqual(source);
    const { mapped } = await client.allocate();
    expect(mapped).toEqual(source);
    await client.channelBind(0x4000, echo);
    client.sendChannel(0x4000, Buffer.from("through"));
    expect((await client.receive()).data.toString()).toBe("through");
    const text = source.address.includes(":")
      ? `[${source.address}]:${source.port}`
      : `${source.address}:${source.port}`;
    expect(dataplane.dataplane.relay.state().allocations).toMatchObject([{ client: text }]);
    expect(dataplane.facts.find(({ type }) => type === "allocation.opened")?.data).toMatchObject({ client: text });
  });

  it("a load balancer that asks for itself is answered with its own address", async () => {
    const client = await clientOf(transport, localHeader);
    expect(await client.binding()).toMatchObject({ address: "127.0.0.1" });
  });

  it("a connection without a header is dropped at once, one whose header does not end within the limit then", async () => {
    const dropped = () => dataplane.dataplane.relay.state().dropped;
    const port = dataplane.ports[transport];
    const plain = await open(port, Buffer.from("000100002112a442000000000000000000000000", "hex"));
    plain.resume();
    await once(plain, "close");
    expect(dropped()["proxy-header"]).toBe(1);
    const slow = await open(port, proxyHeader({ address: "203.0.113.5", port: 1 }, front).subarray(0, 20));
    slow.resume();
    await once(slow, "close");
    expect(dropped()["proxy-header-late"]).toBe(1);
  });

  it("two clients with one port, by two ways in, have an allocation each", async () => {
    const source = { address: "203.0.113.5", port: 40_000 };
    for (const destination of [front, { ...front, port: 3478 }])
      await (await clientOf(transport, proxyHeader(source, destination))).allocate();
    expect(dataplane.dataplane.relay.state().allocations).toHaveLength(2);
  });
});
