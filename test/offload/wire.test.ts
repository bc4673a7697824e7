/**
 * The programs on a real interface: random frames go in on a veth pair, and what comes back is compared byte by byte with what
 * user space would send. XDP on one interface, and from one to another.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { afterEach, beforeAll, beforeEach, expect, it, onTestFinished } from "vitest";
import { loadBpf } from "../../src/dataplane/offload/bpf.ts";
import { FlowMap } from "../../src/dataplane/offload/flow-map.ts";
import { interfaceOf } from "../../src/dataplane/offload/interfaces.ts";
import {
  closeProgram,
  closeXdpProgram,
  loadProgram,
  loadXdpProgram,
  openPort,
  passedCounts,
  type OffloadProgram,
  type XdpProgram,
} from "../../src/dataplane/offload/program.ts";
import { canTransmit, whyNoXdp } from "../../src/dataplane/offload/xdp-support.ts";
import { run } from "../cluster/nodes/wire.ts";
import { eventually } from "../support/eventually.ts";
import { enterOwnNetwork } from "../support/network.ts";
import { installMany, randomFrames, randomFrom, withdraw } from "./channels.ts";
import { ETHERNET } from "./frame.ts";
import { acceptXdp } from "./xdp-pass.ts";
import { openWire, type Wire } from "./wire.ts";

/** Set TURNPIKE_FRAMES for more. */
const FRAMES = Number(process.env["TURNPIKE_FRAMES"] ?? 40_000);
const BATCH = 500;
const SEED = 20_261_201;
const UDP = 17;
/** Frames that are shorter keep what is behind the datagram. */
const MIN_FRAME = 60;

const ip = (...args: readonly string[]): string => run(["ip", ...args]);
const mac = (last: number): Buffer => Buffer.from([2, 0, 0, 0, 9, last]);
const text = (address: Buffer): string => address.toString("hex").replaceAll(/..(?!$)/g, "$&:");

/** The relay's end of a pair is `near`, the other one `far`. */
const pair = (near: string, far: string, number: number): void => {
  ip("link", "add", near, "address", text(mac(number)), "type", "veth", "peer", "name", far);
  ip("link", "set", far, "address", text(mac(number + 1)));
  for (const link of [near, far]) ip("link", "set", link, "up");
  ip("address", "add", `10.9.${number}.2/24`, "dev", near);
  ip("address", "add", `fd09:${number}::2/64`, "dev", near, "nodad");
  ip("neighbour", "add", `10.9.${number}.1`, "lladdr", text(mac(number + 1)), "dev", near, "nud", "permanent");
  ip("neighbour", "add", `fd09:${number}::1`, "lladdr", text(mac(number + 1)), "dev", near, "nud", "permanent");
};

const routeBy = (near: string, number: number): void => {
  ip("route", "replace", "10.1.2.0/24", "via", `10.9.${number}.1`, "dev", near);
  ip("route", "replace", "fd01:203::/64", "via", `fd09:${number}::1`, "dev", near);
};

const bpf = loadBpf();
let tc: OffloadProgram;
let xdp: XdpProgram;
let links: number[];
let flows: FlowMap;

beforeAll(() => {
  enterOwnNetwork();
  pair("near0", "far0", 10);
  pair("near1", "far1", 20);
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  writeFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "1");
  // What the programs leave to user space ends here.
  const { status, stderr } = spawnSync("nft", ["-f", "-"], {
    input: "table inet test { chain forward { type filter hook forward priority 0; policy drop; }; }\n",
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`nft: ${stderr}`);
});

beforeEach(() => {
  tc = loadProgram();
  xdp = loadXdpProgram(tc);
  flows = new FlowMap(bpf, tc);
  links = [];
});
afterEach(() => {
  for (const link of links) bpf.close(link);
  closeXdpProgram(xdp);
  closeProgram(tc);
});

const isRelayed = (frame: Buffer): boolean => {
  const type = frame.readUInt16BE(12);
  return type === 0x0800 ? frame[ETHERNET + 9] === UDP : type === 0x86dd && frame[ETHERNET + 6] === UDP;
};

interface Ends {
  readonly from: Wire;
  readonly to: Wire;
  /** Hardware addresses of the frames that arrive at `to`. */
  readonly target: Buffer;
  readonly source: Buffer;
  /** Of the interface that the flows leave by. */
  readonly index: number;
}

/** Sends random frames. @returns how many were forwarded. */
const compare = async ({ from, to, target, source, index }: Ends): Promise<number> => {
  const channels = installMany(flows, 10, 200, index);
  const next = randomFrames(randomFrom(SEED), channels);
  let forwarded = 0;
  for (let n = 0; n < FRAMES; n += BATCH) {
    const expected: Buffer[] = [];
    for (let k = 0; k < BATCH; k += 1) {
      const { sent, expected: onward } = next();
      mac(10).copy(sent, 0);
      from.send(sent);
      if (onward !== undefined) expected.push(onward);
    }
    for (const frame of expected) {
      target.copy(frame, 0);
      source.copy(frame, 6);
    }
    const received: Buffer[] = [];
    await eventually(() => {
      for (let frame = to.receive(); frame !== undefined; frame = to.receive())
        if (isRelayed(frame)) received.push(frame);
      expect(received.length).toBeGreaterThanOrEqual(expected.length);
    });
    expect(received).toHaveLength(expected.length);
    for (const [k, frame] of received.entries()) {
      const right = expected[k]!;
      const isSame = frame.subarray(0, right.length).equals(right);
      const isWhole = frame.length === right.length || right.length < MIN_FRAME;
      if (!isSame || !isWhole) expect.fail(`${n + k}:\n${frame.toString("hex")}\n${right.toString("hex")}`);
    }
    forwarded += expected.length;
  }
  for (const channel of channels) withdraw(flows, channel);
  return forwarded;
};

const indexOf = (name: string): number => interfaceOf(name).index;
const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, n) => sum + n, 0);

it(`TC makes of ${FRAMES.toLocaleString("en")} frames what user space would`, async () => {
  routeBy("near0", 10);
  links.push(bpf.attach("tc", tc.program, indexOf("near0")));
  const wire = openWire(indexOf("far0"));
  const ends = { from: wire, to: wire, target: mac(11), source: mac(10), index: indexOf("near0") };
  expect(await compare(ends)).toBeGreaterThan(FRAMES / 2);
  wire.close();
});

it(`XDP makes of ${FRAMES.toLocaleString("en")} frames what user space would`, async () => {
  routeBy("near0", 10);
  expect(whyNoXdp(interfaceOf("near0"))).toMatch(/^the other end of its veth pair/);
  onTestFinished(acceptXdp("far0"));
  expect(whyNoXdp(interfaceOf("near0"))).toBeUndefined();
  links.push(bpf.attach("tc", tc.program, indexOf("near0")), bpf.attach("xdp", xdp.program, indexOf("near0")));
  const wire = openWire(indexOf("far0"));
  const ends = { from: wire, to: wire, target: mac(11), source: mac(10), index: indexOf("near0") };
  const forwarded = await compare(ends);
  expect(forwarded).toBeGreaterThan(FRAMES / 2);
  // The TC program behind it saw only what was left: it would have counted the others as segments or forwarded them.
  expect(total(passedCounts(tc))).toBe(FRAMES - forwarded);
  wire.close();
});

it(`XDP makes of ${FRAMES.toLocaleString("en")} frames what user space would, from one interface to another`, async () => {
  routeBy("near1", 20);
  onTestFinished(acceptXdp("far0", "far1"));
  for (const near of ["near0", "near1"]) {
    links.push(bpf.attach("xdp", xdp.program, indexOf(near)));
    expect(canTransmit(interfaceOf(near))).toBe(true);
    openPort(xdp, indexOf(near));
  }
  const [from, to] = [openWire(indexOf("far0")), openWire(indexOf("far1"))];
  const ends = { from, to, target: mac(21), source: mac(20), index: indexOf("near1") };
  expect(await compare(ends)).toBeGreaterThan(FRAMES / 2);
  from.close();
  to.close();
});
