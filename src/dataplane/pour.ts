/** One stream becomes another. */
import type { Socket } from "node:net";
import { lingerMilliseconds } from "./limits.ts";

const keepAliveMilliseconds = 60_000;

/**
 * Takes what `from` reads to `to`, no faster than that writes, until either ends. `count` says how many milliseconds to wait
 * before more is read.
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
    // What was written still leaves; whoever does not take it is not waited for.
    to.setTimeout(lingerMilliseconds, () => to.destroy());
    to.destroySoon();
  };
  from.on("end", end);
  from.on("close", end);
  from.setKeepAlive(true, keepAliveMilliseconds);
  from.resume();
};
