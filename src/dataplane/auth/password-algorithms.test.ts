/** Password algorithms on the wire (RFC 8489 §9.2), with messages that node:crypto signs. */
import { createHash, createHmac, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import pino from "pino";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../../test/support/free-port.ts";
import type { RelayTuning } from "../relay.ts";
import { attribute } from "../../stun/attributes.ts";
import { method, type Attribute, type Message } from "../../stun/message.ts";
import { decode } from "../../stun/reader.ts";
import { encode } from "../../stun/writer.ts";
import { TurnClient } from "../../turn-client/turn-client.ts";
import { createRelay } from "../create-relay.ts";
import { placeOn } from "../placement.ts";

const HOST = "127.0.0.1";
const REALM = "stunner.l7mp.io";
const UDP: Attribute = { type: attribute.requestedTransport, value: 17 * 0x1000000 };
const OFFER = Buffer.from("0002000000010000", "hex");
const [MD5, SHA256] = [Buffer.from("00010000", "hex"), Buffer.from("00020000", "hex")];
type Hash = "sha1" | "sha256";

let port: number;
let refused: () => Readonly<Record<string, number>>;

const start = async (tuning: RelayTuning = { passwordAlgorithms: true }): Promise<void> => {
  port = await freePort(HOST);
  const relay = createRelay({ place: placeOn([HOST]), own: [HOST], log: pino({ level: "silent" }), ...tuning });
  onTestFinished(() => relay.close());
  refused = () => relay.state().refused;
  await relay.apply({
    version: "v1",
    admin: { name: "gw" },
    auth: { type: "static", realm: REALM, credentials: { username: "u", password: "p" } },
    listeners: [{ name: "gw/udp", protocol: "TURN-UDP", address: "", port, routes: ["c"] }],
    clusters: [{ name: "c", type: "STATIC", protocol: "UDP", endpoints: [HOST] }],
  });
};

const keyOf = (algorithm: "md5" | "sha256", password = "p"): Buffer =>
  createHash(algorithm).update(`u:${REALM}:${password}`).digest();

/** `message` with a signature, of `length` bytes. */
const signed = (message: Buffer, by: Hash, key: Buffer, length = by === "sha1" ? 20 : 32): Buffer => {
  const covered = Buffer.from(message);
  covered.writeUInt16BE(message.length - 20 + 4 + length, 2);
  const digest = createHmac(by, key).update(covered).digest().subarray(0, length);
  return Buffer.concat([covered, Buffer.from([0, by === "sha1" ? 0x08 : 0x1c, 0, length]), digest]);
};

const open = async () => {
  const socket = createSocket("udp4");
  socket.bind(0, HOST);
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  return async (bytes: Buffer): Promise<Message> => {
    const answer = once(socket, "message");
    socket.send(bytes, port, HOST);
    const [datagram] = (await answer) as [Buffer];
    const decoded = decode(datagram);
    if (decoded.kind !== "message") throw new Error(decoded.code);
    return decoded;
  };
};

const request = (attributes: readonly Attribute[]): Buffer =>
  encode({ method: method.allocate, class: "request", transactionId: randomBytes(12), attributes });

const raw = (type: number, value: Buffer | undefined): readonly Attribute[] =>
  value === undefined ? [] : [{ type, raw: value }];

interface Attempt {
  readonly by: Hash;
  readonly key: Buffer;
  readonly algorithm?: Buffer;
  readonly offer?: Buffer;
  readonly length?: number;
  readonly nonce?: (nonce: string) => string;
}

/** An Allocate after a challenge, and its answer. */
const allocate = async ({ by, key, algorithm, offer, length, nonce = (same) => same }: Attempt): Promise<Message> => {
  const ask = await open();
  const challenge = await ask(request([UDP]));
  return ask(
    signed(
      request([
        UDP,
        { type: attribute.username, value: "u" },
        { type: attribute.realm, value: challenge.realm ?? "" },
        { type: attribute.nonce, value: nonce(challenge.nonce ?? "") },
        ...raw(attribute.passwordAlgorithms, offer),
        ...raw(attribute.passwordAlgorithm, algorithm),
      ]),
      by,
      key,
      length,
    ),
  );
};

const sha256 = { by: "sha256", key: keyOf("sha256"), algorithm: SHA256, offer: OFFER } as const;

describe("a relay that offers password algorithms", () => {
  beforeEach(() => start());

  it("offers SHA-256 and MD5 in challenges, and says so in the nonce", async () => {
    const ask = await open();
    const challenge = await ask(request([UDP]));
    expect(challenge).toMatchObject({ error: { code: 401 }, realm: REALM, passwordAlgorithms: OFFER });
    expect(challenge.nonce).toMatch(/^obMatJos2AAAB[\w-]{16}$/);
  });

  it.each([
    ["SHA-256 key, SHA-256 signature", sha256],
    ["SHA-256 key, SHA-1 signature", { ...sha256, by: "sha1" }],
    ["MD5 key, SHA-256 signature", { ...sha256, key: keyOf("md5"), algorithm: MD5 }],
    ["MD5 key, SHA-256 signature, no algorithm named", { by: "sha256", key: keyOf("md5") }],
    ["MD5 key, SHA-1 signature, no algorithm named", { by: "sha1", key: keyOf("md5") }],
  ] as const)("accepts a request, and signs the answer in the same way: %s", async (_, attempt: Attempt) => {
    const answer = await allocate(attempt);
    expect(answer.class).toBe("success");
    const at = attempt.by === "sha1" ? answer.integrityAt : answer.integritySha256At;
    expect(attempt.by === "sha1" ? answer.integritySha256At : answer.integrityAt).toBeUndefined();
    const bytes = Buffer.from(answer.bytes);
    expect(signed(bytes.subarray(0, at), attempt.by, attempt.key)).toEqual(bytes);
  });

  it("accepts a signature that is cut to 16 bytes", async () => {
    expect((await allocate({ ...sha256, length: 16 })).class).toBe("success");
  });

  it.each([
    ["offer replaced by MD5 only", { ...sha256, by: "sha1", key: keyOf("md5"), algorithm: MD5, offer: MD5 }],
    ["offer not repeated", { by: "sha256", key: keyOf("sha256"), algorithm: SHA256 }],
    ["no algorithm chosen", { by: "sha256", key: keyOf("sha256"), offer: OFFER }],
    ["algorithm that was not offered", { ...sha256, algorithm: Buffer.from("00030000", "hex") }],
    ["algorithm with parameters", { ...sha256, algorithm: Buffer.from("0002000400000000", "hex") }],
  ] as const)("answers 400: %s", async (_, attempt: Attempt) => {
    expect((await allocate(attempt)).error?.code).toBe(400);
    expect(refused()["400 password-algorithm"]).toBe(1);
  });

  it.each([
    ["without its cookie", (nonce: string) => nonce.slice(13)],
    ["with the feature removed", (nonce: string) => nonce.replace("AAAB", "AAAA")],
  ])("answers 438 to a nonce %s", async (_, nonce) => {
    const answer = await allocate({ by: "sha1", key: keyOf("md5"), nonce });
    expect(answer).toMatchObject({ error: { code: 438 }, passwordAlgorithms: OFFER });
  });

  it("answers 401 to a wrong password, and to a key of the other algorithm", async () => {
    expect((await allocate({ ...sha256, key: keyOf("sha256", "q") })).error?.code).toBe(401);
    expect((await allocate({ ...sha256, key: keyOf("md5") })).error?.code).toBe(401);
    expect(refused()["401 credentials"]).toBe(2);
  });

  it("serves clients that know only MD5", async () => {
    const client = await TurnClient.connect({ host: HOST, port, username: "u", password: "p" });
    onTestFinished(() => client.close());
    expect((await client.allocate()).relayed).toHaveLength(1);
    expect(await client.refresh(0)).toBe(0);
  });
});

it("by default a challenge stays within three times the shortest Allocate, and SHA-256 is not offered", async () => {
  const lengths: number[] = [];
  for (const passwordAlgorithms of [false, true]) {
    await start({ passwordAlgorithms });
    const ask = await open();
    lengths.push((await ask(request([UDP]))).bytes.length);
  }
  expect(request([UDP])).toHaveLength(28);
  expect(lengths).toEqual([68, 96]);
  await start({});
  expect((await allocate(sha256)).error?.code).toBe(401);
  expect(refused()).toEqual({ "401 challenge": 2 });
  expect((await allocate({ by: "sha1", key: keyOf("md5") })).class).toBe("success");
});
