/** Where the event log goes when nobody said where: pods made for STUNner name no folder, and may not write to theirs. */
import { accessSync, constants, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const isWritable = (folder: string): boolean => {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
};

/** `folder` below the working directory, or below the system's for temporary files where that cannot be written to. */
export const journalFolder = (folder: string, say: (other: string) => void): string => {
  if (isWritable(folder)) return folder;
  const other = join(tmpdir(), folder.replace(/^\./, ""));
  say(other);
  return other;
};
