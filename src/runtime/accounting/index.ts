/** Accounting: usage records of calls, from the event log to a receiver. */
import type { Logger } from "pino";
import { messageOf } from "../../errors.ts";
import type { Fact } from "../../journal/fact.ts";
import type { JournalWriter } from "../../journal/writer.ts";
import type { Loop } from "../loop.ts";
import { loadCursor, newCursor, saveCursor } from "./cursor.ts";
import { startForwarding, type Forwarder } from "./forward.ts";
import { interruptedIn } from "./interrupted.ts";
import { createReceiver, readToken, type Encoding } from "./receiver.ts";
import type { AccountingSettings } from "./settings.ts";
import { unreadAfter } from "./unread.ts";
import { webhook } from "./webhook.ts";

export { accountingFormats, type AccountingFormat, type AccountingSettings } from "./settings.ts";
export { readToken };

/** What accounting needs before the log is opened. */
export interface AccountingPlan {
  readonly settings: AccountingSettings;
  readonly encoding: Encoding;
}

export interface Accounting extends Forwarder {
  /** Of calls that a killed process left open; for the log, before the fact that this process has started. */
  readonly interrupted: readonly Fact[];
}

export interface AccountingOptions extends AccountingPlan {
  /** Of the log. */
  readonly folder: string;
  readonly journal: JournalWriter;
  readonly loop: Loop;
  readonly tell: (fact: Fact, source: string) => void;
  readonly log: Logger;
}

/** @param mode `operator`, `standalone`, `dataplane`. */
export const planAccounting = async (settings: AccountingSettings, mode: string): Promise<AccountingPlan> => ({
  settings,
  encoding: settings.format === "otlp" ? await (await import("./otlp.ts")).otlp(mode) : webhook,
});

/** To be called before the first fact of this run. @throws the error of reading or writing the folder of the log. */
export const startAccounting = ({
  settings,
  encoding,
  folder,
  journal,
  loop,
  tell,
  log,
}: AccountingOptions): Accounting => {
  const { intervalSeconds } = settings;
  const before = loadCursor(folder, journal.lastSeq, (reason) =>
    log.error({ reason }, "the position of accounting is unusable; records are sent from now on"),
  );
  const interrupted = (): readonly Fact[] => {
    if (before === undefined) return [];
    try {
      return interruptedIn(folder, before.intervalSeconds);
    } catch (error) {
      log.error(
        { reason: messageOf(error) },
        "calls that a killed process left open cannot be read from the event log",
      );
      return [];
    }
  };
  const cursor = { ...(before ?? newCursor(journal.lastSeq, intervalSeconds)), intervalSeconds };
  const { origin } = new URL(settings.url);
  const facts = interrupted();
  saveCursor(folder, cursor);
  const forwarder = startForwarding({
    folder,
    journal,
    loop,
    cursor,
    unread: unreadAfter(folder, cursor.through),
    receiver: createReceiver(settings, encoding),
    // Not in the middle of what the loop does.
    failed: (reason) =>
      void setImmediate(() =>
        tell({ type: "effect.failed", data: { effect: "account", target: origin, reason } }, "accounting"),
      ),
    log,
  });
  return { ...forwarder, interrupted: facts };
};
