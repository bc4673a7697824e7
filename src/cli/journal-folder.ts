/**
 * The default folder of the event log. Pods made for STUNner set no folder, and may not write to their working directory;
 * several programs may run in one folder.
 */
import { accessSync, constants, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TurnpikeError } from "../errors.ts";
import { lockFolder } from "../journal/lock.ts";

const isWritable = (folder: string): boolean => {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
};

/** Why `folder` cannot be locked: a running process writes to it. */
const takenBy = (folder: string): string | undefined => {
  try {
    lockFolder(folder);
    return undefined;
  } catch (error) {
    if (error instanceof TurnpikeError && error.code === "journal-busy") return error.message;
    throw error;
  }
};

/** `FOLDER`, `FOLDER-2`, `FOLDER-3`, …: the first one without a running process. Folders of ended processes are reused. */
const firstFree = (folder: string): { readonly folder: string; readonly taken?: string } => {
  const taken = takenBy(folder);
  if (taken === undefined) return { folder };
  for (let number = 2; ; number += 1) {
    const next = `${folder}-${number}`;
    if (takenBy(next) === undefined) return { folder: next, taken };
  }
};

/**
 * `folder` below the working directory, or below the system's directory for temporary files if that is not writable, with a
 * number if another process has it. The folder is locked for this process.
 * @param say is called with the folder, and the reason if it is not `folder`.
 */
export const journalFolder = (folder: string, say: (other: string, why: string) => void): string => {
  const isUsable = isWritable(folder);
  const free = firstFree(isUsable ? folder : join(tmpdir(), folder.replace(/^\./, "")));
  if (!isUsable) say(free.folder, `${folder} cannot be written to`);
  else if (free.taken !== undefined) say(free.folder, free.taken);
  return free.folder;
};
