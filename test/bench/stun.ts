/**
 * `npm run bench:stun`: messages that the relay's STUN codec decodes and encodes in a CPU-second, beside those of the `stun` package
 * (our clients' codec). Both take turns in every round; CPU time, because other programs on the machine take none of it.
 *
 *     npm run bench:stun -- [--rounds 7] [--milliseconds 200]
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { HmacSha1 } from "../../src/stun/hmac-sha1.ts";
import { attribute } from "../../src/stun/attributes.ts";
import { method, type Attribute, type Message, type Outgoing } from "../../src/stun/message.ts";
import { decode } from "../../src/stun/reader.ts";
import { encode } from "../../src/stun/writer.ts";
import { decode as decodeByPackage, encode as encodeByPackage } from "../../src/turn-client/codec.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "7" }, milliseconds: { type: "string", default: "200" } },
});
const rounds = Number(values.rounds);
const milliseconds = Number(values.milliseconds);

const key = new HmacSha1(randomBytes(16));
const transactionId = randomBytes(12);
const client = { address: "192.0.2.1", port: 40_000 };
const relayed = { address: "198.51.100.7", port: 50_000 };
const nonce: Attribute = { type: attribute.nonce, value: "AAAAAAAAAAAAAAAA" };
const realm: Attribute = { type: attribute.realm, value: "stunner.l7mp.io" };
const credentials: readonly Attribute[] = [{ type: attribute.username, value: "1700000000:alice" }, realm, nonce];
const transport: Attribute = { type: attribute.requestedTransport, value: 17 * 0x1000000 };
const mapped: Attribute = { type: attribute.xorMappedAddress, address: client };

const request = (asked: number, attributes: readonly Attribute[], rest: Partial<Outgoing> = {}): Buffer =>
  encodeByPackage({ method: asked, class: "request", transactionId, attributes, ...rest });

/** What the relay asks of each request. */
const common = ({ method: asked, class: kind, unknown, integrityAt, username, realm: of, nonce: with_ }: Message) =>
  asked +
  kind.length +
  unknown.length +
  (integrityAt ?? 0) +
  (username?.length ?? 0) +
  (of?.length ?? 0) +
  (with_?.length ?? 0);
const ofAllocate = (message: Message): number =>
  common(message) +
  (message.requestedTransport ?? 0) +
  (message.requestedFamily ?? 0) +
  (message.additionalFamily ?? 0) +
  (message.lifetime ?? 0) +
  (message.evenPort === true ? 1 : 0) +
  (message.dontFragment === true ? 1 : 0) +
  (message.reservationToken?.length ?? 0);
const ofPeers = (message: Message): number => common(message) + message.peers.length + (message.channelNumber ?? 0);

const decodes: readonly (readonly [string, Buffer, (message: Message) => number])[] = [
  ["Binding request with FINGERPRINT", request(method.binding, [], { fingerprint: true }), common],
  ["Allocate request without credentials", request(method.allocate, [transport]), ofAllocate],
  ["Allocate request, signed", request(method.allocate, [transport, ...credentials], { key }), ofAllocate],
  [
    "ChannelBind request, signed",
    request(
      method.channelBind,
      [
        { type: attribute.channelNumber, value: 0x4000 * 0x10000 },
        { type: attribute.xorPeerAddress, address: relayed },
        ...credentials,
      ],
      { key },
    ),
    ofPeers,
  ],
];

const encodes: readonly (readonly [string, Outgoing])[] = [
  [
    "Binding success with FINGERPRINT",
    { method: method.binding, class: "success", transactionId, attributes: [mapped], fingerprint: true },
  ],
  [
    "401 with NONCE and REALM",
    {
      method: method.allocate,
      class: "error",
      transactionId,
      attributes: [{ type: attribute.errorCode, code: 401 }, nonce, realm],
    },
  ],
  [
    "Allocate success, signed",
    {
      method: method.allocate,
      class: "success",
      transactionId,
      attributes: [
        { type: attribute.xorRelayedAddress, address: relayed },
        { type: attribute.lifetime, value: 600 },
        mapped,
      ],
      key,
    },
  ],
];

/** What was read, so that no work is left out. */
let sum = 0;

const cpuMilliseconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const perCpuSecond = (work: () => void): number => {
  const began = cpuMilliseconds();
  let calls = 0;
  let took = 0;
  do {
    for (let n = 0; n < 500; n++) work();
    calls += 500;
    took = cpuMilliseconds() - began;
  } while (took < milliseconds);
  return (calls * 1000) / took;
};

interface Case {
  readonly name: string;
  readonly ours: () => void;
  readonly theirs: () => void;
}

const cases: readonly Case[] = [
  ...decodes.map(([name, bytes, read]) => ({
    name: `decode ${name}`,
    ours: () => {
      const decoded = decode(bytes);
      if (decoded.kind === "message") sum += read(decoded);
    },
    theirs: () => {
      const decoded = decodeByPackage(bytes);
      if (decoded.kind === "message") sum += read(decoded.message);
    },
  })),
  ...encodes.map(([name, out]) => ({
    name: `encode ${name}`,
    ours: () => {
      sum += encode(out).length;
    },
    theirs: () => {
      sum += encodeByPackage(out).length;
    },
  })),
];

const figures = cases.map(() => ({ ours: new Array<number>(), theirs: new Array<number>() }));
// The first round warms up.
for (let round = 0; round <= rounds; round++)
  for (const [index, { ours, theirs }] of cases.entries()) {
    const [a, b] = [perCpuSecond(ours), perCpuSecond(theirs)];
    if (round === 0) continue;
    figures[index]?.ours.push(a);
    figures[index]?.theirs.push(b);
  }

const sorted = (all: readonly number[]): readonly number[] => all.toSorted((a, b) => a - b);
const median = (all: readonly number[]): number => sorted(all)[all.length >> 1] ?? Number.NaN;
const thousands = (value: number | undefined): string => `${((value ?? Number.NaN) / 1000).toFixed(0)}k`;
const show = (all: readonly number[]): string =>
  `${thousands(median(all))} (${thousands(sorted(all)[0])}–${thousands(sorted(all).at(-1))})`;

const rows = [
  ["a CPU-second", "relay", "stun package", ""],
  ...cases.map(({ name }, index) => {
    const { ours, theirs } = figures[index] ?? { ours: [], theirs: [] };
    return [name, show(ours), show(theirs), `${(median(ours) / median(theirs)).toFixed(1)} ×`];
  }),
];
const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
for (const row of rows) console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
console.log(`median of ${rounds} rounds (lowest–highest)`);
if (sum === 0) throw new Error("nothing was read");
