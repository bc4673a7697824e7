/**
 * `npm run bench:offload`: CPU time of the whole machine for each relayed packet, and the time that a packet takes from client
 * to peer: ours in user space and in the kernel, beside coturn and pion/turn. Client, relay and peer are in networks of their
 * own, joined by veth pairs. tcpreplay sends ChannelData packet by packet, at a fixed rate; the peer's interface counts what
 * arrives.
 *
 * From each figure two others are subtracted: the CPU time of the idle machine, and that of the same load with the same path
 * and no relay (the packets go to the peer, through the relay's network, by IP forwarding). tcpreplay sleeps between bursts of
 * eight packets: if it kept its CPU busy, it would hide the work that the kernel does on that CPU.
 *
 * Those in the kernel are measured a second time at full speed, where a sleeping load cannot blur the figure: tcpreplay sends as
 * fast as it can on one CPU, which then also does all the work of forwarding. The figure is the time a packet takes there, less
 * that of packets which the relay's network forwards by IP meanwhile; both alternate every second.
 *
 * XDP is measured with links whose other ends accept what it sends, which costs something by itself: TC is measured there as
 * well, and the load without a relay. Latency: packets one at a time, 5,000 a second, less what they take without a relay. On `lo`
 * there is neither.
 *
 *     npm run bench:offload -- [--rounds 5] [--seconds 5] [--rate 40000] [--server NAME,…] [--load "NAME;…"]
 *
 * Needs root, nftables and tcpreplay (Debian: sudo apt-get install nftables tcpreplay).
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Network } from "../cluster/nodes/wire.ts";
import { tiedToUs, whereIs } from "../cluster/process.ts";
import { buildPion } from "../interop/go.ts";
import { interfaceOf } from "../../src/dataplane/offload/interfaces.ts";
import { ETHERNET, makeFrame } from "../offload/frame.ts";
import { acceptXdp } from "../offload/xdp-pass.ts";
import { inNetworkOf, measureLatency, type LatencyEnd } from "./offload-latency.ts";
import { openStage, OTHER_PROTOCOL, PEER, RELAY, RELAY_TO_PEER, type Stage } from "./offload-stage.ts";
import type { BenchFlow, SessionOptions } from "./offload-sessions.ts";
import { credentials } from "./relay-servers.ts";

const PORT = 3478;
const REALM = "stunner.l7mp.io";
const TURNPIKE = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));
const SESSIONS = fileURLToPath(new URL("offload-sessions.ts", import.meta.url));
const FIRST_PEER_PORT = 20_000;
const SETTLE_MS = 300;

interface Server {
  readonly name: string;
  /** The kernel forwards its packets. */
  readonly isInKernel?: boolean;
  /** The other ends of the relay's links accept what XDP sends. */
  readonly isXdpReady?: boolean;
  readonly command: (folder: string) => readonly string[];
}

interface Load {
  readonly name: string;
  readonly on: "veth" | "lo";
  readonly bytes: number;
  readonly clients: number;
  readonly channels: number;
}

const loads: readonly Load[] = [
  { name: "160 B, 100 flows", on: "veth", bytes: 160, clients: 10, channels: 10 },
  { name: "1,200 B, 100 flows", on: "veth", bytes: 1200, clients: 10, channels: 10 },
  { name: "160 B, 10,000 flows", on: "veth", bytes: 160, clients: 100, channels: 100 },
  { name: "lo, 160 B, 100 flows", on: "lo", bytes: 160, clients: 10, channels: 10 },
];

const turnpike = (name: string, engine: string, offload: string): Server => ({
  name,
  command(folder) {
    const path = join(folder, "config.json");
    const config = {
      version: "v1",
      admin: { name: "bench/gateway", healthcheck_endpoint: "", loglevel: "all:ERROR", offload_engine: offload },
      auth: { type: "static", realm: REALM, credentials },
      listeners: [
        { name: "bench/gateway/udp", protocol: "TURN-UDP", address: RELAY, port: PORT, routes: ["bench/peers"] },
      ],
      clusters: [{ name: "bench/peers", type: "STATIC", protocol: "UDP", endpoints: [PEER] }],
    };
    writeFileSync(path, JSON.stringify(config));
    return [TURNPIKE, "dataplane", "-c", path, "--journal", join(folder, "journal"), "--engine", engine];
  },
});

const servers = async (): Promise<readonly Server[]> => {
  const debian = whereIs("turnserver");
  if (debian === undefined) throw new Error("missing: turnserver; on Debian: sudo apt-get install coturn");
  const program = await buildPion("server");
  return [
    { ...turnpike("TC", "batch", "TC"), isInKernel: true },
    { ...turnpike("TC beside XDP", "batch", "TC"), isInKernel: true, isXdpReady: true },
    { ...turnpike("XDP", "batch", "XDP"), isInKernel: true, isXdpReady: true },
    turnpike("batch", "batch", "None"),
    turnpike("dgram", "dgram", "None"),
    {
      name: "coturn",
      command: (folder) =>
        [
          [debian, "-n", "-m", "1", "--no-cli", "--lt-cred-mech", "--no-tls", "--no-dtls"],
          ["-u", `${credentials.username}:${credentials.password}`, "-r", REALM, "-p", String(PORT)],
          ["-L", RELAY, "-E", RELAY_TO_PEER, "--log-file", "/dev/null", "--pidfile", join(folder, "pid")],
        ].flat(),
    },
    { name: "pion/turn", command: () => [program, "-address", `${RELAY}:${PORT}`] },
  ];
};

/**
 * CPU time of all CPUs that was not idle, in seconds, since some moment in the past. It is calculated from the idle time, which
 * the kernel measures exactly; what /proc/stat has as busy is sampled at every tick, and a load that sleeps until a timer ends
 * is mostly missed.
 */
const busySeconds = (): number => {
  const [, , , idle = 0, iowait = 0, , , steal = 0] = (
    /^cpu +(.*)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1] ?? ""
  )
    .split(" ")
    .map(Number);
  return (performance.now() / 1000) * cpus().length - (idle + iowait + steal) / 100;
};

/** A capture file (pcap) of one packet for each frame. */
const capture = (frames: readonly Buffer[]): Buffer => {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_535, 16);
  // LINKTYPE_ETHERNET
  header.writeUInt32LE(1, 20);
  const packets = frames.flatMap((frame, index) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(index, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, frame];
  });
  return Buffer.concat([header, ...packets]);
};

const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[all.length >> 1] ?? Number.NaN;

const ip = (text: string): Uint8Array => Uint8Array.from(text.split(".").map(Number));

const framed = (frame: Buffer): Buffer => {
  stage.macs.relay.copy(frame, 0);
  stage.macs.client.copy(frame, 6);
  return frame;
};

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "5" },
    rate: { type: "string", default: "40000" },
    server: { type: "string" },
    load: { type: "string" },
  },
});
const seconds = Number(values.seconds);
const rate = Number(values.rate);
if (whereIs("tcpreplay") === undefined)
  throw new Error("missing: tcpreplay; on Debian: sudo apt-get install tcpreplay");

/** Of the load that is measured. */
let stage: Stage;
const folder = mkdtempSync(join(tmpdir(), "turnpike-bench-offload-"));

const start = (network: { inside(command: readonly string[]): readonly string[] }, command: readonly string[]) => {
  const [program, ...args] = tiedToUs("KILL", network.inside(command));
  return spawn(program, args, { stdio: ["pipe", "pipe", "inherit"], cwd: folder });
};

const stop = async (child: ChildProcess): Promise<void> => {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
};

interface Measured {
  readonly busy: number;
  readonly received: number;
}

/** Sends the packets of the file `name` for a while. */
const replay = (name: string, duration: number, how: readonly string[], on: readonly string[] = []): void => {
  const flags = [`--intf1=${stage.link}`, "--preload-pcap", "--loop=0", `--duration=${duration}`, "--quiet", ...how];
  const [program, ...args] = stage.client.inside([...on, "tcpreplay", ...flags, join(folder, name)]);
  const { status, stderr } = spawnSync(program!, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`tcpreplay: ${stderr}`);
};

/** Sends the packets of the file `name` at the rate; without one, looks at the idle machine. */
const measure = async (name?: string): Promise<Measured> => {
  const received = stage.received();
  const busy = busySeconds();
  if (name === undefined) await pause(seconds * 1000);
  else replay(name, seconds, ["--timer=nano", "--pps-multi=8", `--pps=${rate}`]);
  await pause(SETTLE_MS);
  return { busy: busySeconds() - busy, received: stage.received() - received };
};

/** How long a packet of the file `name` takes, sent as fast as one CPU can, in microseconds. */
const atFullSpeed = async (name: string): Promise<number> => {
  const received = stage.received();
  replay(name, 1, ["--topspeed"], ["taskset", "-c", String(cpus().length - 1)]);
  await pause(SETTLE_MS);
  return 1e6 / (stage.received() - received);
};

const sessionsOf = async (
  load: Load,
): Promise<{ readonly child: ChildProcess; readonly flows: readonly BenchFlow[] }> => {
  const { clients, channels } = load;
  const options: SessionOptions = {
    ...credentials,
    host: RELAY,
    port: PORT,
    clients,
    channels,
    peer: PEER,
    firstPeerPort: FIRST_PEER_PORT,
  };
  const child = start(stage.client, [process.execPath, SESSIONS, JSON.stringify(options)]);
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { child, flows: JSON.parse(line) as readonly BenchFlow[] };
};

const dataOf = ({ bytes }: Load): Buffer => Buffer.alloc(bytes, 0x2a);

const channelDataFrame = (load: Load, { clientPort, channel }: BenchFlow): Buffer => {
  const header = Buffer.from([channel >>> 8, channel & 255, load.bytes >>> 8, load.bytes & 255]);
  const payload = Buffer.concat([header, dataOf(load)]);
  return framed(
    makeFrame({ source: ip(stage.address), target: ip(RELAY), sourcePort: clientPort, targetPort: PORT, payload }),
  );
};

const plainFrame = (load: Load, n: number): Buffer =>
  framed(
    makeFrame({
      source: ip(stage.address),
      target: ip(PEER),
      sourcePort: 30_000 + (n % 100),
      targetPort: FIRST_PEER_PORT + (n % 20_000),
      payload: dataOf(load),
    }),
  );

/** Not UDP: the program looks at no more than that. */
const otherFrame = (load: Load, n: number): Buffer => {
  const frame = plainFrame(load, n);
  const [at, sumAt] = [ETHERNET + 9, ETHERNET + 10];
  // The checksum of the header falls by as much as its sum rises (RFC 1624).
  const sum = frame.readUInt16BE(sumAt) - (OTHER_PROTOCOL - frame.readUInt8(at));
  frame.writeUInt16BE(sum < 0 ? sum + 0xffff : sum, sumAt);
  frame.writeUInt8(OTHER_PROTOCOL, at);
  return frame;
};

/** Of a packet that arrived. */
interface Outcome {
  readonly microseconds: number;
  /** The part of the packets that did. */
  readonly arrived: number;
  /** Microseconds from client to peer. */
  readonly latency: readonly [p50: number, p99: number];
  /** Microseconds more than IP forwarding, at full speed. */
  readonly fullSpeed: number | undefined;
}

const chosen = values.server?.split(",");
const subjects = (await servers()).filter(({ name }) => chosen?.includes(name) ?? true);
const outcomes = new Map<string, Outcome[]>();

const LATENCY_COUNT = 10_000;
const LATENCY_RATE = 5_000;
const UDP_TARGET_PORT_AT = 14 + 20 + 2;

const endsOf = ({ client, peer, link }: Stage): readonly [LatencyEnd, LatencyEnd] => {
  const endOf = ({ pid }: Network): LatencyEnd => ({ pid, index: inNetworkOf(pid, () => interfaceOf(link).index) });
  return [endOf(client), endOf(peer)];
};

const latencyOf = (frame: Buffer, peerPort: number): readonly [number, number] => {
  // There, what is sent is seen as received.
  if (stage.link === "lo") return [Number.NaN, Number.NaN];
  const [from, to] = endsOf(stage);
  const isReceived = (received: Buffer): boolean =>
    received.length > UDP_TARGET_PORT_AT + 2 && received.readUInt16BE(UDP_TARGET_PORT_AT) === peerPort;
  const all = measureLatency({
    from,
    to,
    frame,
    isReceived,
    count: LATENCY_COUNT,
    perSecond: LATENCY_RATE,
  });
  const at = (part: number): number => all[Math.floor(all.length * part)] ?? Number.NaN;
  return [at(0.5), at(0.99)];
};

/** While the other ends of the relay's links accept what XDP sends. */
const withXdpLinks = async (act: () => Promise<void>): Promise<void> => {
  const ends = endsOf(stage).map(({ pid }) => inNetworkOf(pid, () => acceptXdp("eth0")));
  try {
    await act();
  } finally {
    for (const end of ends) end();
  }
};

const SPEED_PAIRS = 5;

/**
 * How much more a packet that the kernel relays takes than one that it routes, at full speed, in microseconds. Of each the fastest
 * second counts: whatever else runs on the machine can only make one slower.
 */
const fullSpeed = async (load: Load): Promise<number> => {
  const others = Array.from({ length: load.clients * load.channels }, (_, n) => otherFrame(load, n));
  writeFileSync(join(folder, "others.pcap"), capture(others));
  let [other, relayed] = [Infinity, Infinity];
  for (let n = 0; n < SPEED_PAIRS; n += 1) {
    other = Math.min(other, await atFullSpeed("others.pcap"));
    relayed = Math.min(relayed, await atFullSpeed("channels.pcap"));
  }
  return relayed - other;
};

const roundOf = async (load: Load, some: readonly Server[]): Promise<void> => {
  if (some.length === 0) return;
  const idle = await measure();
  const perPacket = ({ busy, received }: Measured): number => ((busy - idle.busy) / received) * 1e6;
  writeFileSync(
    join(folder, "plain.pcap"),
    capture(Array.from({ length: load.clients * load.channels }, (_, n) => plainFrame(load, n))),
  );
  const without = perPacket(await measure("plain.pcap"));
  const direct = latencyOf(plainFrame(load, 0), FIRST_PEER_PORT);
  process.stderr.write(
    `  ${load.name}, no relay: ${without.toFixed(2)} µs, latency ${direct.map((one) => one.toFixed(1)).join(" / ")} µs\n`,
  );
  for (const server of some) {
    const relay = start(stage.relay, server.command(folder));
    let sessions: Awaited<ReturnType<typeof sessionsOf>> | undefined;
    try {
      sessions = await sessionsOf(load);
      const frames = sessions.flows.map((flow) => channelDataFrame(load, flow));
      writeFileSync(join(folder, "channels.pcap"), capture(frames));
      const measured = await measure("channels.pcap");
      const [p50, p99] = latencyOf(frames[0]!, sessions.flows[0]!.peerPort);
      const key = `${load.name} ${server.name}`;
      const outcome: Outcome = {
        microseconds: perPacket(measured) - without,
        arrived: measured.received / (rate * seconds),
        latency: [p50 - direct[0], p99 - direct[1]],
        fullSpeed: server.isInKernel === true ? await fullSpeed(load) : undefined,
      };
      outcomes.set(key, [...(outcomes.get(key) ?? []), outcome]);
      process.stderr.write(
        `  ${key}: ${outcome.microseconds.toFixed(2)} µs, ${(100 * outcome.arrived).toFixed(1)} %, ` +
          `latency + ${outcome.latency.map((one) => one.toFixed(1)).join(" / ")} µs` +
          `${outcome.fullSpeed === undefined ? "" : `, at full speed ${outcome.fullSpeed.toFixed(2)} µs`}\n`,
      );
    } finally {
      if (sessions !== undefined) await stop(sessions.child);
      await stop(relay);
    }
  }
};

const round = async (load: Load): Promise<void> => {
  await roundOf(
    load,
    subjects.filter(({ isXdpReady }) => isXdpReady !== true),
  );
  const rest = subjects.filter(({ isXdpReady }) => isXdpReady === true);
  if (rest.length > 0 && load.on === "veth") await withXdpLinks(() => roundOf(load, rest));
};

const loadsChosen = loads.filter(({ name }) => values.load === undefined || values.load.split(";").includes(name));

/** A row of medians for each server. */
const report = (load: Load): void => {
  process.stdout.write(`${load.name}\n`);
  const batch = median((outcomes.get(`${load.name} batch`) ?? []).map(({ microseconds }) => microseconds));
  for (const { name } of subjects) {
    const all = outcomes.get(`${load.name} ${name}`) ?? [];
    if (all.length === 0) continue;
    const of = (cost: readonly number[]): string =>
      `${median(cost).toFixed(2)} µs a packet (${Math.min(...cost).toFixed(2)}–${Math.max(...cost).toFixed(2)})`;
    const cost = all.map(({ microseconds }) => microseconds);
    const speed = all.flatMap((one) => one.fullSpeed ?? []);
    const latency = [0, 1].map((at) => median(all.map((one) => one.latency[at] ?? Number.NaN)).toFixed(1));
    process.stdout.write(
      `  ${name.padEnd(13)} ${of(cost)}, batch is ${(batch / median(cost)).toFixed(1)} times that; ` +
        `at least ${(100 * Math.min(...all.map((one) => one.arrived))).toFixed(1)} % arrived` +
        (load.on === "lo" ? "" : `; added latency p50 ${latency[0]} µs, p99 ${latency[1]} µs`) +
        (speed.length === 0 ? "\n" : `; at full speed ${of(speed)}\n`),
    );
  }
};

try {
  for (let n = 1; n <= Number(values.rounds); n += 1)
    for (const load of loadsChosen) {
      process.stderr.write(`round ${n} of ${values.rounds}: ${load.name}\n`);
      stage = await openStage(load.on);
      try {
        await round(load);
      } finally {
        await stage.close();
      }
    }
  for (const load of loadsChosen) report(load);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
