/** The program of `killable.ts`: an operator that can be configured to kill itself while it writes a given line of its log. */
import { writeSync } from "node:fs";
import { startQuietly } from "./operators.ts";
import type { Killable } from "./killable.ts";

const { options, line } = JSON.parse(process.argv[2] ?? "") as Killable;
const NEWLINE = 0x0a;

let left = line?.number ?? Number.POSITIVE_INFINITY;

const write = (fd: number, bytes: Buffer): number => {
  for (let start = 0, end = bytes.indexOf(NEWLINE); end >= 0; start = end + 1, end = bytes.indexOf(NEWLINE, start)) {
    left -= 1;
    if (left > 0) continue;
    // Some of the line is written, or all of it, or nothing.
    writeSync(fd, bytes.subarray(0, start + Math.round((end + 1 - start) * (line?.share ?? 1))));
    process.kill(process.pid, "SIGKILL");
  }
  return writeSync(fd, bytes);
};

const operator = await startQuietly({ ...options, journalOptions: { ...options.journalOptions, write } });
process.on("SIGTERM", () => void operator.stop("SIGTERM").then(() => process.exit(0)));
