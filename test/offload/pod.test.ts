/** Calls through a relay in a pod that forwards channels in the kernel. */
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startEchoBackend } from "../support/live.ts";
import { eventually } from "../support/eventually.ts";
import { addAddress, enterOwnNetwork } from "../support/network.ts";
import { startStream } from "../support/stream.ts";
import { POD, PORT, setForwarding, startRelayInPod, type RelayConfigText } from "./relay-in-pod.ts";
import { acceptXdp } from "./xdp-pass.ts";

const [PEER, OTHER] = ["10.244.0.3", "10.244.0.4"];
const client = { host: POD, port: PORT, username: "user-1", password: "pass-1", packetsPerSecond: 200 } as const;

beforeAll(() => {
  enterOwnNetwork();
  for (const address of [PEER, OTHER]) addAddress(address);
});

const start = async (config: RelayConfigText, flags?: readonly string[]) => {
  const relay = await startRelayInPod(config, flags);
  onTestFinished(() => relay.stop());
  return relay;
};
const echoAt = async (address: string) => {
  const echo = await startEchoBackend(address);
  onTestFinished(() => echo.close());
  return echo;
};

describe.each([
  ["one thread", []],
  ["threads", ["--udp-thread-num", "3"]],
])("on %s", (_, flags) => {
  it("the kernel forwards a call, and every packet is counted", async () => {
    const relay = await start({ endpoints: [PEER] }, flags);
    const echo = await echoAt(PEER);
    const call = await startStream(client, echo);
    onTestFinished(() => call.stop());
    await call.flows(400);
    expect(await call.lost()).toEqual([]);
    const {
      allocations,
      relay: { offload, listeners },
    } = await relay.state();
    expect(offload).toMatchObject({ engine: "TC", interfaces: [{ name: "lo" }, { name: "eth0" }] });
    expect(allocations).toMatchObject([
      {
        channels: [{ number: 0x4001, way: "kernel" }],
        packetsIn: call.sent,
        packetsOut: call.sent,
        bytesIn: 160 * call.sent,
        bytesOut: 160 * call.sent,
      },
    ]);
    expect(listeners.find(({ protocol }) => protocol === "TURN-UDP")?.packetsOut).toBeGreaterThanOrEqual(call.sent);
    // What came up was requests, not media.
    expect(offload?.engine === "TC" && offload.passed["no-flow"]).toBeLessThan(call.sent / 4);
  });

  it("a call over TCP stays in user space, and says why", async () => {
    const relay = await start({ endpoints: [PEER] }, flags);
    const call = await startStream({ ...client, transport: "tcp" }, await echoAt(PEER));
    onTestFinished(() => call.stop());
    await call.flows(100);
    expect(await call.lost()).toEqual([]);
    const [allocation] = (await relay.state()).allocations;
    expect(allocation?.channels).toMatchObject([{ way: "user space", because: "transport" }]);
  });

  it("an endpoint that is gone is not forwarded to; others are, without a loss", async () => {
    const relay = await start({ endpoints: [PEER, OTHER] }, flags);
    const [stays, goes] = [await echoAt(PEER), await echoAt(OTHER)];
    const call = await startStream(client, stays);
    const cut = await startStream(client, goes);
    onTestFinished(() => call.stop());
    onTestFinished(() => cut.stop());
    await Promise.all([call.flows(100), cut.flows(100)]);
    relay.write({ endpoints: [PEER] });
    await eventually(async () => {
      const { allocations } = await relay.state();
      expect(allocations.flatMap(({ channels }) => channels.map(({ peer }) => peer))).toEqual([
        `${PEER}:${stays.port}`,
      ]);
    });
    const seen = cut.received.size;
    await call.flows(200);
    expect(cut.received.size).toBe(seen);
    expect(await call.lost()).toEqual([]);
  });

  it("offload comes and goes under a call that loses nothing", async () => {
    const relay = await start({ endpoints: [PEER], engine: "None" }, flags);
    const call = await startStream(client, await echoAt(PEER));
    onTestFinished(() => call.stop());
    const wayIs = (way: string | undefined) =>
      eventually(async () => {
        const [allocation] = (await relay.state()).allocations;
        expect(allocation?.channels[0]?.way).toBe(way);
      });
    for (const [engine, way] of [
      ["TC", "kernel"],
      ["None", undefined],
      ["Auto", "kernel"],
    ] as const) {
      await call.flows(50);
      relay.write({ endpoints: [PEER], engine });
      await wayIs(way);
    }
    await call.flows(100);
    expect(await call.lost()).toEqual([]);
    expect((await relay.state()).allocations).toMatchObject([{ packetsIn: call.sent, packetsOut: call.sent }]);
  });
});

it("XDP forwards a call where its link takes that, and TC where it does not, without a loss", async () => {
  const relay = await start({ endpoints: [PEER], engine: "XDP" });
  const call = await startStream(client, await echoAt(PEER));
  onTestFinished(() => call.stop());
  await call.flows(50);
  const offload = async () => (await relay.state()).relay.offload;
  const without = await offload();
  expect(without?.engine === "TC" && without.interfaces).toMatchObject([
    { name: "lo", engine: "TC", note: "its driver has no XDP" },
    { name: "eth0", engine: "TC", note: expect.stringMatching(/^the other end of its veth pair/) },
  ]);

  relay.write({ endpoints: [PEER], engine: "None" });
  await eventually(async () => expect(await offload()).toBeUndefined());
  onTestFinished(acceptXdp(relay.pod.link));
  setForwarding(relay.pod.child.pid);
  relay.write({ endpoints: [PEER], engine: "XDP" });
  await eventually(async () =>
    expect(await offload()).toMatchObject({
      engine: "XDP",
      interfaces: [{ engine: "TC" }, { name: "eth0", engine: "XDP" }],
    }),
  );
  await eventually(async () => expect((await relay.state()).allocations[0]?.channels[0]?.way).toBe("kernel"));
  await call.flows(400);
  const after = await offload();
  // Both ways.
  expect(after?.engine === "XDP" && after.byXdp).toBeGreaterThan(700);

  // On a veth it pays nothing: `Auto` says so.
  relay.write({ endpoints: [PEER], engine: "Auto" });
  await eventually(async () =>
    expect(await offload()).toMatchObject({
      engine: "TC",
      interfaces: [{}, { note: expect.stringContaining("veth") }],
    }),
  );
  await call.flows(50);
  expect(await call.lost()).toEqual([]);
  expect((await relay.state()).allocations).toMatchObject([{ packetsIn: call.sent, packetsOut: call.sent }]);
});

it("an interface that is not there is named, and user space relays", async () => {
  const relay = await start({ endpoints: [PEER], interfaces: ["eth9"] });
  const call = await startStream(client, await echoAt(PEER));
  onTestFinished(() => call.stop());
  await call.flows(50);
  expect(await call.lost()).toEqual([]);
  expect((await relay.state()).relay.offload).toEqual({ engine: "None", reason: 'interface "eth9" does not exist' });
  expect(relay.pod.output).toContain("offload is unavailable");
});
