/** A folder and its subfolders on disk: the manifest files, and notifications of possible changes. */
import { readdirSync, statSync, watch, type FSWatcher } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../errors.ts";

const MANIFEST = /\.(ya?ml|json)$/i;

/** Changes when the file does: inode, size and modification time. */
export type Signature = string;

export const signatureOf = (path: string): Signature | undefined => {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat?.isFile() === true ? `${stat.ino}:${stat.size}:${stat.mtimeNs}` : undefined;
};

/** Hidden entries are left out: editors' temporary files, and the `..data` of a mounted ConfigMap. */
const isVisible = (name: string): boolean => !name.startsWith(".");

export interface Tree {
  readonly folders: ReadonlySet<string>;
  readonly files: ReadonlyMap<string, Signature>;
}

/** @throws the error of the file system for the root; unreadable subfolders are skipped. */
export const readTree = (root: string): Tree => {
  const folders = new Set<string>();
  const files = new Map<string, Signature>();
  const visit = (folder: string): void => {
    folders.add(folder);
    for (const name of readdirSync(folder).toSorted()) {
      if (!isVisible(name)) continue;
      const path = join(folder, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory() === true) {
        try {
          visit(path);
        } catch {
          folders.delete(path);
        }
      } else if (MANIFEST.test(name)) {
        const signature = signatureOf(path);
        if (signature !== undefined) files.set(path, signature);
      }
    }
  };
  visit(root);
  return { folders, files };
};

export interface FolderWatch {
  /** Watches these folders and no others. */
  watch(folders: ReadonlySet<string>): void;
  close(): void;
}

/**
 * Calls `onChange` with the path of a manifest file, or with a folder whose entries must be read again. Node's recursive
 * watch opens one handle per file on Linux; this opens one per folder.
 */
export const watchFolders = (onChange: (path: string) => void, onError: (reason: string) => void): FolderWatch => {
  const watchers = new Map<string, FSWatcher>();

  const open = (folder: string): void => {
    try {
      const watcher = watch(folder, { persistent: true }, (_, name) =>
        onChange(name !== null && MANIFEST.test(name) && isVisible(name) ? join(folder, name) : folder),
      );
      watcher.on("error", (error) => onError(error.message));
      watchers.set(folder, watcher);
    } catch (error) {
      onError(messageOf(error));
    }
  };

  return {
    watch(folders) {
      for (const [folder, watcher] of watchers)
        if (!folders.has(folder)) {
          watcher.close();
          watchers.delete(folder);
        }
      for (const folder of folders) if (!watchers.has(folder)) open(folder);
    },
    close() {
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
};
