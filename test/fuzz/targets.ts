/** What reads bytes of strangers, each as a property that must hold for any bytes. */
import fc, { type IAsyncProperty, type IProperty } from "fast-check";
import { Framer } from "../../src/dataplane/listeners/framing.ts";
import { readProxyHeader } from "../../src/dataplane/listeners/proxy-header.ts";
import { DtlsServer, isClientHello } from "../../src/dataplane/openssl/dtls-server.ts";
import { decode, encode } from "../../src/dataplane/stun/codec.ts";
import { isSigned } from "../../src/dataplane/stun/message.ts";
import { makeCertificate } from "../support/certificate.ts";
import { malformed, randomFrom } from "../support/malformed.ts";
import { PROXY_SIGNATURE } from "../support/proxy-header.ts";

export interface FuzzTarget {
  readonly name: string;
  readonly property: () => IProperty<unknown> | IAsyncProperty<unknown>;
}

const noise = fc.uint8Array({ maxLength: 1500 }).map((bytes) => Buffer.from(bytes));
/** Nearly STUN: well-formed requests that were damaged. */
const nearly = fc.nat().map((seed) => malformed(randomFrom(seed)));
const messages = fc.oneof(noise, nearly);

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

const dtlsRecord = (type: number, body: Buffer): Buffer => {
  const head = Buffer.from([type, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, body.length >> 8, body.length & 255]);
  return Buffer.concat([head, body]);
};

export const fuzzTargets: readonly FuzzTarget[] = [
  {
    name: "the codec never throws, and what it reads it can write again",
    property: () =>
      fc.property(messages, (bytes) => {
        isSigned(bytes);
        const decoded = decode(Buffer.from(bytes));
        if (decoded.kind !== "message") return;
        const { method, class: kind, transactionId } = decoded.message;
        const again = decode(encode({ method, class: kind, transactionId }));
        ensure(again.kind === "message" && again.message.method === method, "another method came back");
      }),
  },
  {
    name: "the framer finds the same frames however a stream is cut up, and keeps within its bound",
    property: () =>
      fc.property(fc.array(messages, { maxLength: 6 }), fc.array(fc.nat(3000), { maxLength: 8 }), (parts, cuts) => {
        const stream = Buffer.concat(parts.map((part) => Buffer.concat([part, Buffer.alloc(-part.length & 3)])));
        const at = [0, ...cuts.map((cut) => Math.min(cut, stream.length)).toSorted((a, b) => a - b), stream.length];
        const chunks = at.slice(1).map((end, index) => stream.subarray(at[index], end));
        const [whole, cut] = [frame([stream]), frame(chunks)];
        ensure(whole === cut, `${whole} is not ${cut}`);
      }),
  },
  {
    name: "a PROXY header is read within its bound, or not at all",
    property: () =>
      fc.property(
        fc.oneof(
          noise,
          noise.map((bytes) => Buffer.concat([PROXY_SIGNATURE, bytes])),
        ),
        (bytes) => {
          const read = readProxyHeader(bytes);
          if (typeof read === "object") ensure(read.length <= Math.min(4096, bytes.length), "it reads too far");
        },
      ),
  },
  {
    name: "DTLS begins no session and answers no more than it got, whatever a stranger sends",
    property: () => {
      const { certificate, key } = makeCertificate();
      const server = new DtlsServer({ certificate: Buffer.from(certificate), key: Buffer.from(key) });
      const hello = fc.tuple(fc.constantFrom(20, 21, 22, 23, 99), noise).map(([type, body]) => dtlsRecord(type, body));
      const handshake = noise.map((body) => {
        const length = Buffer.from([0, body.length >> 8, body.length & 255]);
        return dtlsRecord(22, Buffer.concat([Buffer.from([1]), length, Buffer.alloc(5), length, body]));
      });
      return fc.property(fc.oneof(noise, hello, handshake), (datagram) => {
        isClientHello(datagram);
        let answered = 0;
        const owner = { send: (bytes: Buffer) => void (answered += bytes.length), record: () => undefined };
        ensure(server.greet(datagram, "192.0.2.1 9", owner) === undefined, "a session without a cookie");
        ensure(answered <= Math.max(3 * datagram.length, 64), `${answered} bytes for ${datagram.length}`);
      });
    },
  },
];
