/** `turnpike replay --watch`: follows a log that is being written, and compares each new line. */
import { createReplayer, type Divergence, type ReplayResult } from "../core/replay.ts";
import { digest } from "../journal/digest.ts";
import { isDerivation } from "../journal/fact.ts";
import { followJournal } from "../journal/follow.ts";
import type { Beginning } from "../journal/segment.ts";
import { sentence } from "../journal/sentence.ts";

export interface WatchOptions {
  readonly from?: Beginning;
  readonly signal: AbortSignal;
  readonly write: (text: string) => void;
  /** Existing lines have been compared. */
  readonly onCaughtUp?: (so: ReplayResult) => void;
}

/** Prints new facts with the transitions that follow from them. Resolves to the first difference. */
export const watchReplay = async (path: string, options: WatchOptions): Promise<Divergence | undefined> => {
  const { from, signal, write, onCaughtUp } = options;
  const replayer = createReplayer(digest);
  let isLive = false;
  const lines = followJournal(path, {
    ...(from && { from }),
    signal,
    onCaughtUp() {
      if (!isLive) onCaughtUp?.(replayer);
      isLive = true;
    },
  });
  for await (const line of lines) {
    const divergence = replayer.take(line);
    if (divergence !== undefined) return divergence;
    if (!isLive) continue;
    if (!isDerivation(line))
      write(`${String(line.seq).padStart(7)}  ${new Date(line.time).toISOString()}  ${sentence(line)}\n`);
    else if (line.type === "transition") write(`${" ".repeat(9)}${sentence(line)} ← ${line.cause ?? "?"}\n`);
  }
  return undefined;
};
