/**
 * A directory of manifests as a source of facts. It follows edits, new files and folders, renames and deletions; it does
 * not read a file that is still being written.
 */
import { readFileSync, statSync } from "node:fs";
import { relative } from "node:path";
import { Observable } from "rxjs";
import { monotonicMs } from "../clock.ts";
import { createClaims } from "./claims.ts";
import { readTree, signatureOf, watchFolders, type Signature } from "./folder.ts";
import { parseManifests, type Manifests } from "./manifests.ts";
import type { Source, WatchEvent } from "./source.ts";
import { messageOf } from "../errors.ts";

export interface DirectoryOptions {
  /** Quiet time after a change before a file is read, in ms. */
  readonly settleMs?: number;
  /** Quiet time before a seemingly incomplete state is accepted: an error, a missing newline, fewer objects, a deletion. */
  readonly doubtMs?: number;
  /** How often the whole tree is compared, in case the system dropped a notification, in ms. */
  readonly rescanMs?: number;
}

/** A larger file is rejected: it is not a hand-written manifest. */
const MAX_FILE_BYTES = 32 << 20;

interface Seen {
  /** `undefined` if there is no such file. */
  readonly signature: Signature | undefined;
  readonly since: number;
}

export const watchDirectory = (root: string, options: DirectoryOptions = {}): Source =>
  new Observable((subscriber) => {
    const { settleMs = 4, doubtMs = 50, rescanMs = 10_000 } = options;
    const known = new Map<string, Signature>();
    /** Files that looked incomplete: they must become quiet, even if they look complete meanwhile. */
    const doubts = new Set<string>();
    /** Changed paths, each with its last observed state and the time since when it has had it (monotonic ms). */
    const noticed = new Map<string, Seen>();
    let timer: NodeJS.Timeout | undefined;
    let lost = false;

    const emit = (events: readonly WatchEvent[]): void => {
      if (events.length > 0) subscriber.next(events);
    };

    const setLost = (reason: string | undefined): void => {
      if ((reason !== undefined) === lost) return;
      lost = reason !== undefined;
      emit([reason === undefined ? { event: "restored" } : { event: "lost", reason }]);
    };

    const nameOf = (path: string): string => relative(root, path) || path;

    const claims = createClaims(nameOf);

    const unreadable = (path: string, reason: string): Manifests => ({
      manifests: [],
      rejections: [{ code: "manifest-unreadable", file: nameOf(path), line: 0, object: "", field: "", reason }],
      broken: true,
      refused: new Set(),
      ignored: 0,
    });

    const read = (path: string): { readonly manifests: Manifests; readonly whole: boolean } => {
      try {
        if (statSync(path).size > MAX_FILE_BYTES)
          return { manifests: unreadable(path, `is larger than ${MAX_FILE_BYTES >> 20} MiB`), whole: true };
        const text = readFileSync(path, "utf8");
        return { manifests: parseManifests(text, nameOf(path)), whole: text.endsWith("\n") };
      } catch (error) {
        return { manifests: unreadable(path, messageOf(error)), whole: true };
      }
    };

    const folders = watchFolders(
      (path) => notice(path),
      (reason) => setLost(reason),
    );

    /** Compares the tree with the known state and records every difference. Returns whether the root could be read. */
    const rescan = (): boolean => {
      try {
        const tree = readTree(root);
        folders.watch(tree.folders);
        for (const [path, signature] of tree.files) if (known.get(path) !== signature) notice(path);
        for (const path of known.keys()) if (!tree.files.has(path)) notice(path);
        return true;
      } catch (error) {
        // The objects stay as they were: an unreadable directory says nothing about them.
        setLost(messageOf(error));
        return false;
      }
    };

    const schedule = (ms: number): void => {
      timer ??= setTimeout(() => {
        timer = undefined;
        settle();
      }, ms);
    };

    const notice = (path: string): void => {
      if (!noticed.has(path)) noticed.set(path, { signature: signatureOf(path), since: monotonicMs() });
      schedule(settleMs);
    };

    /** The current file, `undefined` if it was removed; `sure` once that is certain. */
    const examine = (
      path: string,
      { signature: before, since }: Seen,
    ): { readonly manifests: Manifests | undefined; readonly sure: boolean } => {
      const quietMs = monotonicMs() - since;
      if (before === undefined) {
        doubts.delete(path);
        return { manifests: undefined, sure: quietMs >= doubtMs };
      }
      const { manifests, whole } = read(path);
      if (signatureOf(path) !== before) return { manifests, sure: false };
      const doubtful = doubts.has(path) || !whole || claims.shrinks(path, manifests) || manifests.rejections.length > 0;
      if (doubtful && quietMs < doubtMs) {
        doubts.add(path);
        return { manifests, sure: false };
      }
      doubts.delete(path);
      known.set(path, before);
      return { manifests, sure: true };
    };

    const settle = (): void => {
      const paths = [...noticed];
      noticed.clear();
      const files = new Map<string, Manifests | undefined>();
      const doubted = new Map<string, Manifests | undefined>();
      let looked = false;
      for (const [path, last] of paths) {
        const signature = signatureOf(path);
        const seen = signature === last.signature ? last : { signature, since: monotonicMs() };
        if (
          statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ||
          (!known.has(path) && signature === undefined)
        ) {
          if (!looked) rescan();
          looked = true;
          continue;
        }
        if (known.has(path) && signature === known.get(path)) continue;
        const { manifests, sure } = examine(path, seen);
        if (sure) {
          if (manifests === undefined) known.delete(path);
          files.set(path, manifests);
        } else {
          noticed.set(path, seen);
          doubted.set(path, manifests);
        }
      }
      const { events, reread } = claims.update(files, doubted);
      emit(events);
      for (const path of reread) {
        known.delete(path);
        notice(path);
      }
      if (noticed.size > 0) schedule(settleMs);
    };

    const start = (): void => {
      const tree = readTree(root);
      folders.watch(tree.folders);
      const files = new Map<string, Manifests | undefined>();
      for (const [path, signature] of tree.files) {
        known.set(path, signature);
        files.set(path, read(path).manifests);
      }
      emit([...claims.update(files).events, { event: "synced", objects: claims.size }]);
    };

    try {
      start();
    } catch (error) {
      subscriber.error(error);
      return undefined;
    }
    const rescanning = setInterval(() => {
      if (rescan()) setLost(undefined);
    }, rescanMs);

    return () => {
      clearTimeout(timer);
      clearInterval(rescanning);
      folders.close();
    };
  });
