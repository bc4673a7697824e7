/** How far the receiver has acknowledged the event log: a file in the log's folder. */
import { randomUUID } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../errors.ts";

export interface Cursor {
  readonly version: 1;
  /** Identifies the log: part of the ids of its records. */
  readonly log: string;
  /** Sequence number of the last line that needs no sending. */
  readonly through: number;
  /** Seconds between the reports of an open call, in the last run. */
  readonly intervalSeconds: number;
}

const pathOf = (folder: string): string => join(folder, "accounting.json");

const isCursor = (value: unknown): value is Cursor => {
  const { version, log, through, intervalSeconds } = (value ?? {}) as Partial<Record<keyof Cursor, unknown>>;
  return (
    version === 1 &&
    typeof log === "string" &&
    Number.isSafeInteger(through) &&
    typeof intervalSeconds === "number" &&
    intervalSeconds > 0
  );
};

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
};

/** For a log whose lines up to `through` are not sent. */
export const newCursor = (through: number, intervalSeconds: number): Cursor => ({
  version: 1,
  log: randomUUID(),
  through,
  intervalSeconds,
});

/**
 * The cursor of the log in `folder`; undefined if there is none that fits a log with lines up to `lastSeq`.
 * @param onDamaged called with the reason if the file is there and cannot be used.
 */
export const loadCursor = (
  folder: string,
  lastSeq: number,
  onDamaged: (reason: string) => void,
): Cursor | undefined => {
  const path = pathOf(folder);
  try {
    const text = read(path);
    if (text === undefined) return undefined;
    const value: unknown = JSON.parse(text);
    if (!isCursor(value)) throw new Error("fields are missing or have another type");
    if (value.through > lastSeq) throw new Error(`line ${value.through} is not in the log, which ends at ${lastSeq}`);
    return value;
  } catch (error) {
    onDamaged(`${path}: ${messageOf(error)}`);
    return undefined;
  }
};

/** Writes it atomically. @throws the error of writing. */
export const saveCursor = (folder: string, cursor: Cursor): void => {
  const path = pathOf(folder);
  writeFileSync(`${path}.new`, `${JSON.stringify(cursor)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
};
