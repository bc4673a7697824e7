import { describe, expect, it } from "vitest";
import { DtlsClient } from "../../turn-client/dtls-client.ts";
import { establish, newDtlsServer } from "../../../test/support/dtls-session.ts";

const record = (type: number, epoch: number, body: Buffer): Buffer => {
  const head = Buffer.from([type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 9, body.length >> 8, body.length & 255]);
  return Buffer.concat([head, body]);
};

const ciphers = ["ECDHE+AESGCM", "ECDHE+CHACHA20"];

describe.each(ciphers)("a DTLS session that is up, with %s", (cipher) => {
  it("outlives a hello behind another record, and records of every length, which somebody sends in its client's name", () => {
    const { client, session, delivered } = establish(newDtlsServer(), cipher);
    const [hello] = new DtlsClient().advance();
    expect(session.receive(Buffer.concat([record(21, 0, Buffer.from([1, 0])), hello!]))).toBe(true);
    for (const type of [20, 21, 22, 23, 24])
      for (const epoch of [0, 1, 2])
        for (let length = 0; length < 80; length++)
          expect(session.receive(record(type, epoch, Buffer.alloc(length, 7))), `${type} ${epoch} ${length}`).toBe(
            true,
          );
    // What stands inside a record of another version is read as records, too.
    const inside = record(23, 1, Buffer.alloc(4));
    const other = Buffer.concat([record(23, 1, inside).fill(0xff, 2, 3), inside]);
    expect(session.receive(other)).toBe(true);
    expect(session.receive(client.seal(Buffer.from("still here")))).toBe(true);
    expect(delivered).toEqual(["still here"]);
  });
});

describe("a DTLS server", () => {
  it("takes no cipher with which a made-up record would end the session", () => {
    expect(() => establish(newDtlsServer(), "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA")).toThrow("does not end");
  });
});
