/** Pipes one stream to another. */
import type { Socket } from "node:net";
import { lingerMilliseconds } from "./limits.ts";

const keepAliveMilliseconds = 60_000;

/**
 * Pipes `from` to `to`, no faster than `to` writes, until either ends. `count` returns how many milliseconds to wait before
 * the next read.
 */
export const pour = (from: Socket, to: Socket, count: (bytes: number) => number): void => {
  let isHeld = false;
  from.on("data", (chunk: Buffer) => {
    const waitMs = count(chunk.length);
    if (!to.write(chunk)) from.pause();
    if (waitMs === 0) return;
    isHeld = true;
    from.pause();
    setTimeout(() => {
      isHeld = false;
      if (!to.writableNeedDrain) from.resume();
    }, waitMs).unref();
  });
  to.on("drain", () => {
    if (!isHeld) from.resume();
  });
  const end = (): void => {
    if (to.destroyed) return;
    // Written data is still sent; a receiver that does not read it is not waited for.
    to.setTimeout(lingerMilliseconds, () => to.destroy());
    to.destroySoon();
  };
  from.on("end", end);
  from.on("close", end);
  from.setKeepAlive(true, keepAliveMilliseconds);
  from.resume();
};
