import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encode } from "./writer.ts";
import { method } from "./message.ts";
import { Framer } from "./framing.ts";

const stun = (size: number): Buffer =>
  encode({
    method: method.binding,
    class: "request",
    transactionId: Buffer.alloc(12, 7),
    attributes: [{ type: 0x8fff, raw: Buffer.alloc(size) }],
  });

const channelData = (length: number): Buffer => {
  const bytes = Buffer.alloc(4 + ((length + 3) & ~3), 0);
  bytes.writeUInt16BE(0x4001, 0);
  bytes.writeUInt16BE(length, 2);
  bytes.fill(0x55, 4, 4 + length);
  return bytes;
};

const read = (chunks: readonly Buffer[], maxBytes = 70_000) => {
  const frames: Buffer[] = [];
  const framer = new Framer(
    (frame) => {
      frames.push(Buffer.from(frame));
      return true;
    },
    () => maxBytes,
  );
  const errors = chunks.map((chunk) => framer.push(chunk)).filter((error) => error !== undefined);
  return { frames, errors, framer };
};

describe("framing", () => {
  it("finds the same frames however the stream is cut", () => {
    const kind = fc.oneof(
      fc.nat(40).map((size) => ({ bytes: channelData(size), frame: channelData(size).subarray(0, 4 + size) })),
      fc.nat(40).map((size) => ({ bytes: stun(size), frame: stun(size) })),
    );
    fc.assert(
      fc.property(fc.array(kind, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 30 })), (sent, cuts) => {
        const stream = Buffer.concat(sent.map(({ bytes }) => bytes));
        const chunks: Buffer[] = [];
        let at = 0;
        for (const cut of cuts) chunks.push(stream.subarray(at, (at += cut)));
        chunks.push(stream.subarray(at));
        const { frames, errors, framer } = read(chunks);
        expect(errors).toEqual([]);
        expect(frames).toEqual(sent.map(({ frame }) => frame));
        expect(framer.isPartial).toBe(false);
      }),
    );
  });

  it("hands over ChannelData of 0 and 1 bytes without waiting for more", () => {
    expect(read([channelData(0)]).frames).toHaveLength(1);
    expect(read([channelData(1)]).frames).toEqual([channelData(1).subarray(0, 5)]);
  });

  it("refuses what is neither", () => {
    expect(read([Buffer.alloc(30, 0xff)]).errors).toEqual(["frame-garbage"]);
    expect(read([Buffer.alloc(30, 0)]).errors).toEqual(["frame-garbage"]);
  });

  it("refuses a frame that is too long as soon as its header says so", () => {
    expect(read([channelData(5000).subarray(0, 4)], 4096).errors).toEqual(["frame-too-long"]);
  });
});
