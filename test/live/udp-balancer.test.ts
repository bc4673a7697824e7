/** Clients behind a load balancer for UDP that puts a PROXY header before each datagram. */
import { once } from "node:events";
import type { Socket } from "node:dgram";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { TransportAddress } from "../../src/net/address.ts";
import type { Receiver, Transport } from "../../src/turn-client/transport.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { credentials, startTestDataplane, type ConfigChanges, type TestDataplane } from "../support/dataplane.ts";
import { eventually } from "../support/eventually.ts";
import { bindUdp } from "../support/free-port.ts";
import { startEchoBackend, type EchoBackend } from "../support/live.ts";
import { localHeader, proxyHeader } from "../support/proxy-header.ts";

const frontOf = ({ address }: TransportAddress): TransportAddress => ({
  address: address.includes(":") ? "2001:db8::1" : "198.51.100.1",
  port: 3478,
});
const BINDING = Buffer.from("000100002112a442000102030405060708090a0b", "hex");
let dataplane: TestDataplane;
let echo: EchoBackend;

const start = async (
  options: { readonly engine?: "dgram" | "batch"; readonly workers?: number } = {},
  changes: ConfigChanges = {},
): Promise<void> => {
  const relay = { udpBalancers: ["192.0.2.1", "127.0.0.0/31"] };
  dataplane = await startTestDataplane(changes, { ...options, relay });
  onTestFinished(() => dataplane.stop());
};

beforeEach(async () => {
  echo = await startEchoBackend();
  onTestFinished(() => echo.close());
});

const socketAt = async (address = "127.0.0.1"): Promise<Socket> => {
  const socket = await bindUdp(address, 0);
  onTestFinished(() => void socket.close());
  return socket;
};

const headerOf = (source: TransportAddress): Buffer => proxyHeader(source, frontOf(source), Buffer.alloc(0), "udp");

/** A client with address `source`, behind `balancer()`, which may be another socket at any time. */
const clientOf = (source: TransportAddress, balancer: () => Socket): Promise<TurnClient> => {
  const listened = new Set<Socket>();
  const reach = (receiver: Receiver): Transport => ({
    isReliable: false,
    local: { address: "", port: 0 },
    send(bytes) {
      const socket = balancer();
      if (!listened.has(socket)) {
        for (const earlier of listened) earlier.removeAllListeners("message");
        listened.add(socket);
        socket.on("message", (message) => receiver.message(message));
      }
      socket.send(Buffer.concat([headerOf(source), bytes]), dataplane.ports.udp, "127.0.0.1");
    },
    close: () => undefined,
  });
  return TurnClient.connect({ host: "127.0.0.1", port: 0, transport: reach, ...credentials });
};

const throughChannel = async (client: TurnClient, text: string): Promise<string> => {
  client.sendChannel(0x4000, Buffer.from(text));
  return (await client.receive()).data.toString();
};

const dropped = async (reason: string): Promise<number> => {
  await dataplane.dataplane.relay.refresh();
  return dataplane.dataplane.relay.state().dropped[reason] ?? 0;
};

describe.each([[{ engine: "batch" } as const], [{ engine: "dgram" } as const], [{ workers: 2 } as const]])(
  "a UDP listener behind a load balancer (%j)",
  (options) => {
    it("sees each client by its own address, and answers through the load balancer", async () => {
      await start(options);
      const balancer = await socketAt();
      const sources = [
        { address: "203.0.113.5", port: 40_000 },
        { address: "2001:db8::5", port: 40_000 },
      ];
      for (const source of sources) {
        const client = await clientOf(source, () => balancer);
        expect(await client.binding()).toEqual(source);
        expect((await client.allocate()).mapped).toEqual(source);
        await client.channelBind(0x4000, echo);
        expect(await throughChannel(client, `for ${source.address}`)).toBe(`for ${source.address}`);
        // This socket has only one client at a time.
        balancer.removeAllListeners("message");
      }
      const clients = dataplane.facts.flatMap((fact) => (fact.type === "allocation.opened" ? [fact.data.client] : []));
      expect(clients).toEqual(["203.0.113.5:40000", "[2001:db8::5]:40000"]);
    });

    it("answers where the last datagram of a client came from", async () => {
      await start(options);
      const [first, second] = [await socketAt(), await socketAt()];
      let current = first;
      const client = await clientOf({ address: "203.0.113.5", port: 40_000 }, () => current);
      await client.allocate();
      await client.channelBind(0x4000, echo);
      expect(await throughChannel(client, "one")).toBe("one");
      // With worker threads, another port of the load balancer may lead to another worker.
      if ("workers" in options) return;
      current = second;
      expect(await throughChannel(client, "two")).toBe("two");
    });
  },
);

describe("a UDP listener behind a load balancer", () => {
  it("takes no header from an address that is not listed, and serves its clients as ever", async () => {
    await start();
    const direct = await socketAt("127.0.0.5");
    direct.send(
      Buffer.concat([headerOf({ address: "203.0.113.5", port: 1 }), BINDING]),
      dataplane.ports.udp,
      "127.0.0.1",
    );
    await eventually(async () => expect(await dropped("not-stun")).toBe(1));
    direct.send(BINDING, dataplane.ports.udp, "127.0.0.1");
    const [answer] = (await once(direct, "message")) as [Buffer];
    expect(answer.readUInt16BE(0)).toBe(0x0101);
  });

  it("drops what a load balancer sends without a whole header, and what has no STUN after it", async () => {
    await start();
    const balancer = await socketAt();
    const source = { address: "203.0.113.5", port: 1 };
    const tcp = proxyHeader(source, frontOf(source));
    const bad = [BINDING, headerOf(source).subarray(0, 20), Buffer.from("PROXY UDP4"), Buffer.concat([tcp, BINDING])];
    for (const bytes of bad) balancer.send(bytes, dataplane.ports.udp, "127.0.0.1");
    await eventually(async () => expect(await dropped("proxy-header")).toBe(bad.length));
    for (const bytes of [headerOf(source), Buffer.concat([headerOf({ ...source, port: 0 }), BINDING])])
      balancer.send(bytes, dataplane.ports.udp, "127.0.0.1");
    await eventually(async () => expect((await dropped("not-stun")) + (await dropped("proxy-header"))).toBe(6));
    balancer.send(Buffer.concat([headerOf(source), Buffer.from([0x40, 0, 0, 0])]), dataplane.ports.udp, "127.0.0.1");
    await eventually(async () => expect(await dropped("no-allocation")).toBe(1));
  });

  it("relays in user space, even with offload: the kernel would send to the client itself", async () => {
    await start({}, { admin: { offload_engine: "TC", offload_interfaces: ["lo"] } });
    const balancer = await socketAt();
    const client = await clientOf({ address: "127.0.0.9", port: 40_000 }, () => balancer);
    await client.allocate();
    await client.channelBind(0x4000, echo);
    expect(await throughChannel(client, "through")).toBe("through");
    await dataplane.dataplane.relay.refresh();
    const { allocations, offload } = dataplane.dataplane.relay.state();
    expect(offload?.engine).toBe("TC");
    expect(allocations[0]?.channels).toMatchObject([{ way: "user space", because: "proxied" }]);
  });

  it("answers the load balancer itself", async () => {
    await start();
    const balancer = await socketAt();
    balancer.send(Buffer.concat([localHeader, BINDING]), dataplane.ports.udp, "127.0.0.1");
    const [answer] = (await once(balancer, "message")) as [Buffer];
    expect(answer.readUInt16BE(0)).toBe(0x0101);
  });
});
