/** Parsers of unauthenticated bytes, each with a property that must hold for any bytes. */
import fc from "fast-check";
import { Framer } from "../../src/stun/framing.ts";
import { readProxyHeader } from "../../src/dataplane/listeners/proxy-header.ts";
import { maxClientHelloBytes, readClientHello } from "../../src/dataplane/listeners/client-hello.ts";
import { isClientHello } from "../../src/dataplane/openssl/dtls-server.ts";
import { isSigned } from "../../src/stun/message.ts";
import { decode } from "../../src/stun/reader.ts";
import { encode } from "../../src/stun/writer.ts";
import { DtlsClient } from "../../src/turn-client/dtls-client.ts";
import { CLIENT, establish, newDtlsServer } from "../support/dtls-session.ts";
import { malformed, randomFrom, wellFormed } from "../support/malformed.ts";
import { PROXY_SIGNATURE } from "../support/proxy-header.ts";
import { rfc5769 } from "../support/rfc5769.ts";
import { outgoingFrom, outgoingOf, readDifference, writeDifference } from "./codecs.ts";

export interface FuzzTarget {
  readonly name: string;
  /** Bytes that it is tried with. */
  readonly arbitrary: fc.Arbitrary<Buffer>;
  /** Bytes that a search for others may begin with. */
  readonly seeds: readonly Buffer[];
  /** Makes what tries one input, and throws where it does not hold. */
  readonly prepare: () => (bytes: Buffer) => void;
}

/** With a server name, and with two protocols. */
const clientHello = ((): Buffer => {
  const extensions = Buffer.from("0000000b0009000006612e622e6364001000050003026832", "hex");
  const head = Buffer.concat([Buffer.from([3, 3]), Buffer.alloc(32, 1), Buffer.from("000002c02f0100", "hex")]);
  const body = Buffer.concat([head, Buffer.from([0, extensions.length]), extensions]);
  return Buffer.concat([Buffer.from([22, 3, 1, 0, body.length + 4, 1, 0, 0, body.length]), body]);
})();

const noise = fc.uint8Array({ maxLength: 1500 }).map((bytes) => Buffer.from(bytes));
/** Nearly STUN: well-formed requests that were damaged. */
const nearly = fc.nat().map((seed) => malformed(randomFrom(seed)));
const messages = fc.oneof(noise, nearly);

const messageSeeds: readonly Buffer[] = [
  ...wellFormed,
  ...Object.values(rfc5769),
  ...Array.from({ length: 16 }, (_, seed) => encode(outgoingFrom(randomFrom(seed)))),
];

const ensure = (holds: boolean, what: string): void => {
  if (!holds) throw new Error(what);
};

/** Frames and the end of a stream that comes in `chunks`. */
const frame = (chunks: readonly Buffer[]): string => {
  const frames: string[] = [];
  const framer = new Framer(
    (one) => {
      frames.push(one.toString("hex"));
      return true;
    },
    () => 4096,
  );
  // Behind an error nobody reads on.
  for (const chunk of chunks) {
    const error = framer.push(Buffer.from(chunk));
    if (error !== undefined) return `${frames.join(" ")} ${error}`;
  }
  return frames.join(" ");
};

/** A stream and how it is cut up, as bytes: the number of cuts, two bytes for each, the stream. */
const cutStream = (cuts: readonly number[], stream: Buffer): Buffer =>
  Buffer.concat([Buffer.from([cuts.length, ...cuts.flatMap((cut) => [cut >> 8, cut & 255])]), stream]);

const padded = (part: Buffer): Buffer => Buffer.concat([part, Buffer.alloc(-part.length & 3)]);

const dtlsRecord = (type: number, body: Buffer): Buffer => {
  const head = Buffer.from([type, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, body.length >> 8, body.length & 255]);
  return Buffer.concat([head, body]);
};

const dtlsHandshake = (body: Buffer): Buffer => {
  const length = Buffer.from([0, body.length >> 8, body.length & 255]);
  return dtlsRecord(22, Buffer.concat([Buffer.from([1]), length, Buffer.alloc(5), length, body]));
};

export const fuzzTargets: readonly FuzzTarget[] = [
  {
    name: "the codec never throws, and reads what the stun package reads",
    arbitrary: messages,
    seeds: messageSeeds,
    prepare: () => (bytes) => {
      isSigned(bytes);
      const difference = readDifference(bytes);
      ensure(difference === undefined, difference ?? "");
    },
  },
  {
    name: "the codec writes what it has read as the stun package does, and reads the same again",
    arbitrary: messages,
    seeds: messageSeeds,
    prepare: () => (bytes) => {
      const decoded = decode(Buffer.from(bytes));
      if (decoded.kind !== "message") return;
      const out = outgoingOf(decoded);
      const difference = writeDifference(out);
      ensure(difference === undefined, difference ?? "");
      const written = encode(out);
      const again = decode(written);
      // Bytes that were no UTF-8 come back as longer ones, which may be more than a name may have.
      if (again.kind !== "message") return ensure(/length/.test(again.code), `${again.code} for what it wrote`);
      ensure(encode(outgoingOf(again)).equals(written), "it reads another message than it wrote");
    },
  },
  {
    name: "the framer finds the same frames however a stream is cut up, and keeps within its bound",
    arbitrary: fc
      .tuple(fc.array(messages, { maxLength: 6 }), fc.array(fc.nat(3000), { maxLength: 8 }))
      .map(([parts, cuts]) => cutStream(cuts, Buffer.concat(parts.map(padded)))),
    seeds: [cutStream([1, 5, 30], Buffer.concat(wellFormed.map(padded)))],
    prepare: () => (bytes) => {
      const count = Math.min(bytes[0] ?? 0, (bytes.length - 1) >> 1);
      const stream = bytes.subarray(1 + 2 * Math.max(0, count));
      const cuts = Array.from({ length: Math.max(0, count) }, (_, index) => bytes.readUInt16BE(1 + 2 * index));
      const at = [0, ...cuts.map((cut) => Math.min(cut, stream.length)).toSorted((a, b) => a - b), stream.length];
      const chunks = at.slice(1).map((end, index) => stream.subarray(at[index], end));
      const [whole, cut] = [frame([stream]), frame(chunks)];
      ensure(whole === cut, `${whole} is not ${cut}`);
    },
  },
  {
    name: "a PROXY header is read within its bound, or not at all",
    arbitrary: fc.oneof(
      noise,
      noise.map((bytes) => Buffer.concat([PROXY_SIGNATURE, bytes])),
    ),
    seeds: [
      Buffer.from("PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\n"),
      ...[0x11, 0x21].map((family) =>
        Buffer.concat([PROXY_SIGNATURE, Buffer.from([0x21, family, 0, 36]), Buffer.alloc(36, 1)]),
      ),
    ],
    prepare: () => (bytes) => {
      const read = readProxyHeader(bytes);
      if (typeof read === "object") ensure(read.length <= Math.min(4096, bytes.length), "it reads too far");
    },
  },
  {
    name: "a ClientHello is read once it is whole, or not at all, and asks for no more than its bound",
    arbitrary: fc.oneof(
      noise,
      noise.map((bytes) => Buffer.concat([Buffer.from([22, 3, 1, bytes.length >> 8, bytes.length & 255]), bytes])),
    ),
    seeds: [clientHello],
    prepare: () => (bytes) => {
      const read = readClientHello(bytes);
      if (typeof read === "object" && "more" in read)
        ensure(read.more > bytes.length && read.more <= maxClientHelloBytes + 5, `it asks for ${read.more} bytes`);
    },
  },
  {
    name: "DTLS begins no session and answers no more than it got, whatever an unauthenticated source sends",
    arbitrary: fc.oneof(
      noise,
      fc.tuple(fc.constantFrom(20, 21, 22, 23, 99), noise).map(([type, body]) => dtlsRecord(type, body)),
      noise.map(dtlsHandshake),
    ),
    seeds: [dtlsHandshake(Buffer.alloc(80)), ...new DtlsClient().advance()],
    prepare: () => {
      const server = newDtlsServer();
      return (datagram) => {
        isClientHello(datagram);
        let answered = 0;
        const owner = { send: (bytes: Buffer) => void (answered += bytes.length), record: () => undefined };
        ensure(server.greet(datagram, CLIENT, owner) === undefined, "a session without a cookie");
        ensure(answered <= Math.max(3 * datagram.length, 64), `${answered} bytes for ${datagram.length}`);
      };
    },
  },
  {
    name: "a DTLS session delivers what its client sent and nothing else, and outlives what anybody else sends",
    arbitrary: fc.oneof(
      noise,
      fc
        .tuple(fc.constantFrom(20, 21, 22, 23, 24), fc.nat(2), noise)
        .map(([type, epoch, body]) => Buffer.from(dtlsRecord(type, body).fill(epoch, 4, 5))),
    ),
    seeds: [...establish(newDtlsServer()).said, dtlsRecord(21, Buffer.from([2, 0])), dtlsRecord(23, Buffer.alloc(40))],
    prepare: () => {
      const server = newDtlsServer();
      const { client, session, delivered } = establish(server);
      let sent = 0;
      return (datagram) => {
        const word = `word ${sent++}`;
        ensure(session.receive(datagram), "the session has ended");
        // A record of the client's own, damaged by what came.
        const damaged = client.seal(Buffer.from("never"));
        const at = 13 + ((datagram[0] ?? 0) % (damaged.length - 13));
        damaged[at] = (damaged[at] ?? 0) ^ ((datagram[1] ?? 1) | 1);
        ensure(session.receive(damaged), "the session has ended by a damaged record");
        ensure(session.receive(client.seal(Buffer.from(word))), "the session has ended by a good record");
        ensure(delivered.splice(0).join() === word, "something else was delivered");
      };
    },
  },
];

/** The same as a property. */
export const propertyOf = ({ arbitrary, prepare }: FuzzTarget): fc.IProperty<[Buffer]> =>
  fc.property(arbitrary, prepare());
