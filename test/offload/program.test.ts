/** Runs the TC program on frames and compares the results byte by byte. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadBpf } from "../../src/dataplane/offload/bpf.ts";
import { FlowMap } from "../../src/dataplane/offload/flow-map.ts";
import type { PassReason } from "../../src/dataplane/offload/pass-reasons.ts";
import { closeProgram, passedCounts, loadProgram, type OffloadProgram } from "../../src/dataplane/offload/program.ts";
import {
  channelData,
  channelOf,
  families,
  fromClient,
  fromPeer,
  hopsOf,
  install as installOn,
  installMany,
  ipv4,
  ipv6,
  onward,
  OWNER,
  randomFrames,
  randomFrom,
  toClient,
  toPeer,
  withdraw as withdrawFrom,
  type Channel,
} from "./channels.ts";
import { makeFrame, type Frame } from "./frame.ts";
import type { Runner } from "./program-runner.ts";

/** Set TURNPIKE_FRAMES for more. */
const FRAMES = Number(process.env["TURNPIKE_FRAMES"] ?? 100_000);
const SEED = 20_261_130;
const REMOVALS = 50_000;
const LOOPBACK = 1;
/** `TC_ACT_UNSPEC`, `TC_ACT_REDIRECT`. */
const UP = -1;
const FORWARDED = 7;

const bpf = loadBpf();
let program: OffloadProgram;
let flows: FlowMap;

beforeAll(() => {
  program = loadProgram();
  flows = new FlowMap(bpf, program);
});
afterAll(() => closeProgram(program));

const install = (channel: Channel, id: number): void => installOn(flows, channel, id, LOOPBACK);
const withdraw = (channel: Channel): void => withdrawFrom(flows, channel);

/** What the one reason that was counted is; nothing where none was. */
const reasonOf = (run: () => void): PassReason | undefined => {
  const before = passedCounts(program);
  run();
  const after = passedCounts(program);
  const counted = (Object.keys(after) as PassReason[]).filter((name) => after[name] !== before[name]);
  expect(counted.length).toBeLessThanOrEqual(1);
  return counted[0];
};

describe.each(families)("from client to peer, %s", (_, clientSide, peerSide) => {
  const random = randomFrom(SEED);
  const channel = channelOf(1, clientSide, peerSide);
  const data = (bytes: number): Buffer => Buffer.from(Array.from({ length: bytes }, () => random(256)));
  beforeAll(() => install(channel, 1));
  afterAll(() => withdraw(channel));

  /** Ethernet addresses are not the program's business. */
  const ran = (frame: Frame) => {
    const { verdict, frame: after } = bpf.testRun(program.program, makeFrame(frame));
    return { verdict, after: after.subarray(12).toString("hex") };
  };
  const forwarded = (expected: Buffer) => ({ verdict: FORWARDED, after: expected.subarray(12).toString("hex") });

  it.each([1, 2, 3, 4, 5, 159, 160, 1000, 1199, 1200])("forwards %i bytes both ways", (bytes) => {
    const payload = data(bytes);
    const up = fromClient(channel, channelData(channel.number, payload));
    expect(ran(up)).toEqual(forwarded(onward(up, toPeer(channel, payload))));
    const down = fromPeer(channel, payload);
    expect(ran(down)).toEqual(forwarded(onward(down, toClient(channel, channelData(channel.number, payload)))));
  });

  it("forwards no bytes at all", () => {
    const up = fromClient(channel, channelData(channel.number, data(0)));
    expect(ran(up)).toEqual(forwarded(onward(up, toPeer(channel, data(0)))));
    const down = fromPeer(channel, data(0));
    expect(ran(down)).toEqual(forwarded(onward(down, toClient(channel, channelData(channel.number, data(0))))));
  });

  it("leaves padding, and what a link puts behind, away", () => {
    const payload = data(5);
    const up = {
      ...fromClient(channel, channelData(channel.number, Buffer.concat([payload, Buffer.from([1, 2, 3])]), 5)),
      trailer: data(9),
    };
    expect(ran(up)).toEqual(forwarded(onward(up, toPeer(channel, payload))));
    const down = { ...fromPeer(channel, data(1)), trailer: data(17) };
    expect(ran(down)).toEqual(forwarded(onward(down, toClient(channel, channelData(channel.number, down.payload)))));
  });

  it("copies DSCP and ECN, and counts the hop", () => {
    const payload = data(20);
    for (const trafficClass of [0, 1, 2, 3, 46 << 2, 255]) {
      const up = { ...fromClient(channel, channelData(channel.number, payload)), trafficClass, hopLimit: 2 };
      expect(ran(up)).toEqual(forwarded(onward(up, toPeer(channel, payload))));
    }
  });

  it("forwards a wrong checksum as a wrong one", () => {
    const payload = data(100);
    const up: Frame = { ...fromClient(channel, channelData(channel.number, payload)), checksum: "wrong" };
    const { verdict, frame } = bpf.testRun(program.program, makeFrame(up));
    const right = onward(up, toPeer(channel, payload));
    const at = right.length - payload.length - 2;
    expect(verdict).toBe(FORWARDED);
    expect(frame.readUInt16BE(at)).not.toBe(right.readUInt16BE(at));
    frame.copy(right, at, at, at + 2);
    expect(frame.subarray(12).equals(right.subarray(12))).toBe(true);
  });

  const up = (frame: Partial<Frame>, payload = channelData(channel.number, data(100))): Frame => ({
    ...fromClient(channel, payload),
    ...frame,
  });
  const cases: readonly (readonly [PassReason, string, () => Frame])[] = [
    ["no-flow", "another port", () => up({ sourcePort: 1 })],
    ["no-flow", "another server port", () => up({ targetPort: 1 })],
    ["no-flow", "another channel", () => up({}, channelData(channel.number + 1, data(10)))],
    ["no-flow", "a request", () => up({}, Buffer.from("000300002112a442000000000000000000000000", "hex"))],
    ["indication", "a Send indication", () => up({}, Buffer.from("001600002112a442000000000000000000000000", "hex"))],
    ["no-flow", "three bytes", () => up({}, data(3))],
    ["no-flow", "nothing", () => up({}, data(0))],
    ["length", "data longer than the datagram", () => up({}, channelData(channel.number, data(10), 11))],
    ["length", "more behind the data than padding", () => up({}, channelData(channel.number, data(10), 6))],
    ["length", "a datagram longer than the packet", () => up({ udpLength: 300 })],
    ["hop-limit", "the last hop", () => up({ hopLimit: 1 })],
    ["hop-limit", "no hop", () => up({ hopLimit: 0 })],
    ["no-checksum", "no checksum", () => up({ checksum: "none" })],
    ["too-long", "more than the program moves", () => up({}, channelData(channel.number, data(2048)))],
    ["no-flow", "what another peer sends", () => ({ ...fromPeer(channel, data(10)), sourcePort: 9001 })],
  ];
  it.each(cases)("passes to user space, as %s: %s", (reason, _what, make) => {
    const frame = makeFrame(make());
    expect(
      reasonOf(() => {
        const { verdict, frame: after } = bpf.testRun(program.program, frame);
        expect(verdict).toBe(UP);
        expect(after.equals(frame)).toBe(true);
      }),
    ).toBe(reason);
  });

  it("counts what it forwards, and forwards nothing of what was taken away", () => {
    const other = channelOf(2, clientSide, peerSide);
    install(other, 2);
    const { fromClient: there, fromPeer: back } = hopsOf(other);
    for (let n = 0; n < 5; n++)
      bpf.testRun(program.program, makeFrame(fromClient(other, channelData(other.number, data(100)))));
    bpf.testRun(program.program, makeFrame(fromPeer(other, data(30))));
    expect(flows.read(there)).toMatchObject({ packets: 5, bytes: 500 });
    expect([...flows.entriesOf(OWNER)].filter(({ id }) => id >= 4)).toHaveLength(2);
    expect(flows.remove(there)).toMatchObject({ packets: 5, bytes: 500 });
    expect(flows.remove(back)).toMatchObject({ packets: 1, bytes: 30 });
    expect(flows.remove(back)).toBeUndefined();
    for (const frame of [fromClient(other, channelData(other.number, data(9))), fromPeer(other, data(9))])
      expect(bpf.testRun(program.program, makeFrame(frame)).verdict).toBe(UP);
  });
});

describe("IPv4 alone", () => {
  const channel = channelOf(3, ipv4, ipv4);
  beforeAll(() => install(channel, 3));
  afterAll(() => withdraw(channel));
  const payload = channelData(channel.number, Buffer.alloc(100));
  it.each([
    ["options", { options: Uint8Array.from([1, 1, 1, 0]) }],
    ["fragment", { flags: 0x2000 }],
    ["fragment", { flags: 0x0001 }],
  ] as const)("passes to user space, as %s: %j", (reason, more) => {
    const frame = makeFrame({ ...fromClient(channel, payload), ...more });
    expect(reasonOf(() => expect(bpf.testRun(program.program, frame).verdict).toBe(UP))).toBe(reason);
  });
});

it("keeps the flows of owners apart", () => {
  const channel = channelOf(4, ipv4, ipv6);
  install(channel, 4);
  expect(flows.removeAllOf(OWNER + 1)).toBe(0);
  expect(flows.removeAllOf(OWNER)).toBe(2);
  expect(flows.read(hopsOf(channel).fromClient)).toBeUndefined();
});

it("counts exactly what it forwards, also while a flow is removed", async () => {
  const channel = channelOf(5, ipv4, ipv4);
  const { fromClient: there, toPeer: onwards } = hopsOf(channel);
  const common = { isIpv6: false, interface: LOOPBACK, owner: OWNER };
  /** Makes of its output its input again, so that the program can run many times in a row. */
  flows.insert({ from: onwards, to: there, id: 0, ...common });
  const noFlow = passedCounts(program)["no-flow"];
  const isOver = new Int32Array(new SharedArrayBuffer(4));
  const frame = makeFrame({ ...fromClient(channel, channelData(channel.number, Buffer.alloc(100))), hopLimit: 255 });
  const workerData: Runner = { program: program.program, frame, repeat: 200, isOver };
  const runner = new Worker(new URL("program-runner.ts", import.meta.url), { workerData });
  await once(runner, "message");
  let packets = 0;
  let bytes = 0;
  for (let id = 1; id <= REMOVALS; id++) {
    flows.insert({ from: there, to: onwards, id, ...common });
    const counted = flows.remove(there)!;
    packets += counted.packets;
    bytes += counted.bytes;
  }
  const ended = once(runner, "message");
  Atomics.store(isOver, 0, 1);
  const [runs] = (await ended) as [number];
  expect(bytes).toBe(packets * 100);
  expect(packets).toBeGreaterThan(0);
  packets += flows.remove(onwards)!.packets;
  expect(packets + passedCounts(program)["no-flow"] - noFlow).toBe(runs);
});

it(`makes of ${FRAMES.toLocaleString("en")} frames what user space would, or leaves them as they are`, () => {
  const random = randomFrom(SEED + 1);
  const channels = installMany(flows, 10, 200, LOOPBACK);
  const next = randomFrames(random, channels);
  let forwarded = 0;
  for (let n = 0; n < FRAMES; n++) {
    const { frame, sent, expected } = next();
    const { verdict, frame: after } = bpf.testRun(program.program, sent);
    if (
      verdict !== (expected ? FORWARDED : UP) ||
      Buffer.compare(after.subarray(12), (expected ?? sent).subarray(12)) !== 0
    )
      expect.fail(`${n}: ${verdict} ${JSON.stringify(frame)}\n${after.toString("hex")}\n${expected?.toString("hex")}`);
    if (expected !== undefined) forwarded++;
  }
  expect(forwarded).toBeGreaterThan(FRAMES / 2);
  for (const channel of channels) withdraw(channel);
}, 300_000);
