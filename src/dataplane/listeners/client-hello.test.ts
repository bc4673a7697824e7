import { connect } from "node:tls";
import { Duplex } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maxClientHelloBytes, readClientHello, readHelloBody } from "./client-hello.ts";

/** The first bytes that Node sends. */
const helloOf = (servername: string, protocols: string[] = []): Promise<Buffer> =>
  new Promise((resolve) => {
    const wire = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _, done) => {
        resolve(chunk);
        done();
      },
    });
    connect({ socket: wire, servername, ...(protocols.length > 0 ? { ALPNProtocols: protocols } : {}) }).on(
      "error",
      () => undefined,
    );
  });

const hello = await helloOf("turn.example.org", ["h2", "stun.turn"]);
const content = hello.subarray(5);

const record = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from([22, 3, 1, bytes.length >> 8, bytes.length & 255]), bytes]);

describe("a ClientHello", () => {
  it("has a server name and protocols, or neither", async () => {
    expect(readClientHello(hello)).toEqual({ serverName: "turn.example.org", protocols: ["h2", "stun.turn"] });
    expect(readClientHello(await helloOf(""))).toEqual({ serverName: undefined, protocols: [] });
  });

  it("is read as soon as it is whole, from one record or several, and the number of bytes it waits for is right", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: content.length - 1 }), fc.uint8Array({ maxLength: 20 }), (cut, rest) => {
        const records = Buffer.concat([record(content.subarray(0, cut)), record(content.subarray(cut))]);
        const expected = readClientHello(hello);
        expect(readClientHello(Buffer.concat([records, rest]))).toEqual(expected);
        let needed = 1;
        for (let length = 1; length < records.length; length++) {
          const read = readClientHello(records.subarray(0, length));
          if (typeof read !== "object" || !("more" in read)) throw new Error(`read from ${length} bytes`);
          if (length >= needed) needed = read.more;
          expect(needed).toBeGreaterThan(length);
          expect(needed).toBeLessThanOrEqual(records.length);
        }
      }),
      { numRuns: 20 },
    );
  });

  it("is never read from what is none, and nothing throws", () => {
    const damaged = fc.tuple(fc.nat(hello.length - 1), fc.nat(255), fc.nat(hello.length)).map(([at, to, length]) => {
      const bytes = Buffer.from(hello);
      bytes[at] = to;
      return bytes.subarray(0, length);
    });
    const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(damaged, noise, noise.map(record)), (bytes) => {
        const read = readClientHello(bytes);
        if (typeof read === "object" && "more" in read) {
          expect(read.more).toBeGreaterThan(bytes.length);
          expect(read.more).toBeLessThanOrEqual(maxClientHelloBytes + 5);
        }
        readHelloBody(bytes, "dtls");
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    ["an alert", Buffer.from([21, 3, 1, 0, 2, 1, 0])],
    ["a ServerHello", record(Buffer.from([2, 0, 0, 0]))],
    ["a length that no client sends", record(Buffer.from([1, 1, 0, 0]))],
    ["a record of another version", Buffer.from([22, 2, 0, 0, 4, 1, 0, 0, 0])],
    [
      "many records of one byte",
      Buffer.concat(Array.from(content.subarray(0, 40), (byte) => record(Buffer.from([byte])))),
    ],
    ["an empty one", record(Buffer.from([1, 0, 0, 0]))],
  ])("is not: %s", (_, bytes) => {
    expect(readClientHello(bytes)).toBe("invalid");
  });
});
