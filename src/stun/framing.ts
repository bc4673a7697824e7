/** Extracts messages from a byte stream: STUN by its length, ChannelData padded to four bytes (RFC 8656 §12.5). */
import { messageLength } from "./message.ts";

/** Why a stream cannot be parsed further. */
export type FramingError = "frame-garbage" | "frame-too-long";

const nothing = Buffer.alloc(0);

export class Framer {
  /** Bytes of an incomplete frame. Its size is the frame's once that is known. */
  #partial = nothing;
  #filled = 0;
  /** Frames read so far. */
  frames = 0;
  /** Whether `onFrame` stopped the reading, and the bytes after that frame. */
  isStopped = false;
  rest: Buffer = nothing;
  readonly #onFrame: (frame: Buffer) => boolean;
  readonly #maxBytes: () => number;

  /** `onFrame` returns whether to continue. `maxBytes` limits the next frame. */
  constructor(onFrame: (frame: Buffer) => boolean, maxBytes: () => number) {
    this.#onFrame = onFrame;
    this.#maxBytes = maxBytes;
  }

  /** Whether a frame is incomplete. */
  get isPartial(): boolean {
    return this.#filled > 0;
  }

  /** Reads frames from `chunk`, which must not be modified afterwards; an incomplete frame waits for the next chunk. */
  push(chunk: Buffer): FramingError | undefined {
    let offset = 0;
    while (this.#filled > 0 && offset < chunk.length) {
      // At most eight bytes are needed to know the length; then exactly the rest of the frame.
      const wanted = this.#partial.length - this.#filled;
      const taken = Math.min(wanted, chunk.length - offset);
      chunk.copy(this.#partial, this.#filled, offset, offset + taken);
      this.#filled += taken;
      offset += taken;
      if (this.#filled < this.#partial.length) return undefined;
      const { padded, exact } = sizeOf(this.#partial, 0, this.#filled);
      if (padded === garbage) return "frame-garbage";
      if (padded > this.#maxBytes()) return "frame-too-long";
      if (padded > this.#filled) this.#grow(padded);
      else {
        const frame = this.#partial.subarray(0, exact);
        this.#filled = 0;
        this.frames++;
        if (!this.#onFrame(frame)) {
          this.#stop(chunk, offset);
          return undefined;
        }
      }
    }
    while (offset < chunk.length) {
      const { padded, exact } = sizeOf(chunk, offset, chunk.length - offset);
      if (padded === garbage) return "frame-garbage";
      if (padded > this.#maxBytes()) return "frame-too-long";
      if (offset + padded > chunk.length) {
        this.#filled = chunk.length - offset;
        this.#partial = Buffer.allocUnsafe(padded);
        chunk.copy(this.#partial, 0, offset);
        return undefined;
      }
      const frame = chunk.subarray(offset, offset + exact);
      offset += padded;
      this.frames++;
      if (!this.#onFrame(frame)) {
        this.#stop(chunk, offset);
        return undefined;
      }
    }
    return undefined;
  }

  /** Clears the stop, and the bytes that were left. */
  goOn(): void {
    this.isStopped = false;
    this.rest = nothing;
  }

  #stop(chunk: Buffer, offset: number): void {
    this.isStopped = true;
    this.rest = chunk.subarray(offset);
  }

  #grow(size: number): void {
    const grown = Buffer.allocUnsafe(size);
    this.#partial.copy(grown, 0, 0, this.#filled);
    this.#partial = grown;
  }
}

const garbage = -1;

/** The size of the frame at `offset`, or the number of bytes needed to know it: 4 bytes for ChannelData, 20 for STUN. */
const sizeOf = (bytes: Buffer, offset: number, available: number): { padded: number; exact: number } => {
  const first = bytes[offset] ?? 0xff;
  if (first >= 0x40 && first < 0x80) {
    if (available < 4) return { padded: 4, exact: 4 };
    const exact = 4 + bytes.readUInt16BE(offset + 2);
    return { padded: (exact + 3) & ~3, exact };
  }
  if (first > 3) return { padded: garbage, exact: garbage };
  if (available < 20) return { padded: 20, exact: 20 };
  const length = messageLength(bytes, offset);
  return length === undefined ? { padded: garbage, exact: garbage } : { padded: length, exact: length };
};
