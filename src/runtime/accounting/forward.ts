/**
 * Sends usage records in the order of the log, which is their queue: a batch is read, sent until it is acknowledged, and the
 * cursor then moves behind it. So a record is sent at least once, whatever happens to this process or the receiver, as long
 * as the log has its line.
 */
import { setImmediate as nextTurn, setTimeout as after } from "node:timers/promises";
import type { Logger } from "pino";
import type { AccountingCounts } from "../../admin/metric.ts";
import { wallMs } from "../../clock.ts";
import { messageOf, TurnpikeError } from "../../errors.ts";
import type { JournalWriter } from "../../journal/writer.ts";
import { openTail } from "../../journal/tail.ts";
import { backoffMs, type Backoff } from "../../retry.ts";
import type { Loop } from "../loop.ts";
import { saveCursor, type Cursor } from "./cursor.ts";
import { Undelivered, type Receiver } from "./receiver.ts";
import { recordOf, REPORTS, type ReportLine } from "./record.ts";
import type { Unread } from "./unread.ts";

export interface Forwarder {
  /** Since the start. */
  readonly counts: AccountingCounts;
  /** Sends what waits, for at most `limitMs`. The rest is sent after the next start. */
  close(limitMs: number): Promise<void>;
}

export interface ForwardOptions {
  /** Of the log. */
  readonly folder: string;
  readonly journal: Pick<JournalWriter, "segment" | "lastSeq" | "onRemove">;
  readonly loop: Pick<Loop, "onFact" | "onTurn">;
  readonly cursor: Cursor;
  readonly unread: Unread;
  readonly receiver: Receiver;
  /** Called with the first of consecutive failures, and when records were lost. */
  readonly failed: (reason: string) => void;
  readonly log: Logger;
}

const MAX_BATCH = 500;
/** How long a record waits for others. */
const GATHER_MS = 1000;
const BACKOFF: Backoff = { firstMs: 500, longestMs: 60_000 };

export const startForwarding = (options: ForwardOptions): Forwarder => {
  const { folder, journal, loop, unread, receiver, failed, log } = options;
  let { cursor } = options;
  const tail = openTail(folder, cursor.through, REPORTS);
  const stopped = new AbortController();
  let isClosing = false;
  let isSaved = true;
  let batch: readonly ReportLine[] = [];
  let [sent, lost, failures] = [0, 0, 0];
  /** The time of the oldest record that waits, as far as it is known. */
  let waitingSince = wallMs();
  let wake = (): void => undefined;
  /** Ends the pause in which records are gathered. */
  const closing = new AbortController();

  const waiting = (): number => unread.total + batch.length;

  const lose = (count: number, why: string): void => {
    if (count === 0) return;
    lost += count;
    log.error({ records: count, reason: why }, "usage records are lost");
    failed(`${count} usage records are lost: ${why}`);
  };

  const note = (error: unknown): void => {
    failures += 1;
    if (failures > 1) return;
    const reason = messageOf(error);
    log.warn({ reason }, "usage records cannot be sent; they stay in the event log until they can");
    failed(reason);
  };

  const moveCursor = (through: number): void => {
    cursor = { ...cursor, through };
    try {
      saveCursor(folder, cursor);
      isSaved = true;
    } catch (error) {
      // After a restart the receiver gets records again, with the same ids.
      if (isSaved) log.warn({ reason: messageOf(error) }, "the position of accounting cannot be saved");
      isSaved = false;
    }
  };

  loop.onFact(({ type, time }) => {
    if (type !== "allocation.used" && type !== "allocation.closed") return;
    if (waiting() === 0) waitingSince = time;
    unread.add(journal.segment);
  });
  let savedIn = journal.segment;
  loop.onTurn(() => {
    if (unread.total > 0) wake();
    else if (batch.length === 0 && journal.segment !== savedIn) {
      // So that a restart does not look through segments without records.
      savedIn = journal.segment;
      moveCursor(journal.lastSeq);
    }
  });
  journal.onRemove((segment) => {
    tail.leave(segment);
    lose(unread.leave(segment), "the event log removed their segment before the receiver took them");
  });

  const readBatch = async (): Promise<readonly ReportLine[]> => {
    const lines: ReportLine[] = [];
    for (;;) {
      try {
        const part = tail.read(MAX_BATCH - lines.length);
        lines.push(...part.lines);
        unread.read(part.segment, part.lines.length);
        batch = lines;
        if (part.at === "left") lose(unread.leave(part.segment), "the disk refused their lines");
        if (part.at === "end" || lines.length >= MAX_BATCH) return lines;
      } catch (error) {
        if (!(error instanceof TurnpikeError)) throw error;
        unread.read(tail.segment ?? journal.segment, 1);
        lose(1, error.message);
      }
      await nextTurn();
    }
  };

  /** Returns false if the log has nothing to send. */
  const sendBatch = async (): Promise<boolean> => {
    const lines = batch.length > 0 ? batch : await readBatch();
    if (lines.length === 0) return false;
    const { through } = tail;
    const refused = await receiver.send(
      lines.map((line) => recordOf(line, cursor.log)),
      stopped.signal,
    );
    sent += lines.length - refused;
    waitingSince = lines.at(-1)?.time ?? waitingSince;
    batch = [];
    moveCursor(through);
    lose(refused, "the receiver refused them");
    return true;
  };

  const run = async (): Promise<void> => {
    for (;;) {
      const woken = new Promise<void>((resolve) => (wake = resolve));
      if (waiting() === 0) {
        if (isClosing) return;
        await woken;
      }
      if (unread.total < MAX_BATCH && batch.length === 0)
        await after(GATHER_MS, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
      try {
        // What is left then is not on the disk.
        if (!(await sendBatch()) && isClosing) return;
        if (failures > 0) log.info({ waiting: waiting() }, "usage records are sent again");
        failures = 0;
      } catch (error) {
        if (stopped.signal.aborted) return;
        note(error);
        const asked = error instanceof Undelivered ? error.retryAfterMs : 0;
        const pause = Math.max(backoffMs(BACKOFF, failures), asked);
        await after(pause, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined);
        if (stopped.signal.aborted) return;
      }
    }
  };
  const done = run();

  return {
    counts: {
      get sent() {
        return sent;
      },
      get waiting() {
        return waiting();
      },
      get lost() {
        return lost;
      },
      get lagSeconds() {
        if (waiting() === 0) return 0;
        return Math.max(0, (wallMs() - (batch[0]?.time ?? waitingSince)) / 1000);
      },
    },
    async close(limitMs) {
      isClosing = true;
      closing.abort();
      wake();
      await Promise.race([done, after(limitMs, undefined, { ref: false })]);
      stopped.abort();
      await done;
      if (waiting() === 0) moveCursor(journal.lastSeq);
      tail.close();
    },
  };
};
