/**
 * One kind of object on an API server, listed and then watched, until it is stopped. Lists are paged; a watch resumes where
 * the last one ended; if it cannot (410), the list is read again and the difference reported. Failures are retried after a
 * growing, randomised pause.
 */
import { backoffMs } from "../../retry.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { Observable } from "rxjs";
import { monotonicMs } from "../../clock.ts";
import { ApiError, type Api } from "../../kubernetes/api.ts";
import { linesOf } from "./lines.ts";
import { createRecovery, type Recovery } from "./recovery.ts";
import { messageOf } from "../../errors.ts";

/** An object from the API server. */
export interface Listed {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly resourceVersion?: string };
}

export type ListWatchEvent =
  | { readonly event: "seen"; readonly object: Listed }
  | { readonly event: "gone"; readonly object: Listed }
  /** The list is complete: all objects have been reported, and all removals. */
  | { readonly event: "listed"; readonly first?: FirstList }
  /**
   * The server does not have this kind; all its objects have been reported as removed. The request is repeated from time to
   * time.
   */
  | { readonly event: "absent" }
  | { readonly event: "lost"; readonly reason: string }
  | { readonly event: "restored" };

/** The first complete list since the start, or since the kind was added. */
export interface FirstList {
  readonly objects: number;
  /** From the start, or from when the server last reported that it does not have the kind. */
  readonly seconds: number;
  /** Number of lists that were begun, including this one. */
  readonly attempts: number;
}

export interface ListWatchOptions {
  readonly path: string;
  readonly fieldSelector?: string;
  readonly pageSize?: number;
  /** How long the server may keep one watch open, in seconds. */
  readonly watchSeconds?: number;
  /** A watch without any event, not even a bookmark, for this long is considered lost, in ms. */
  readonly livenessMs?: number;
  readonly firstPauseMs?: number;
  readonly longestPauseMs?: number;
  /** Shared by the watches of one server. */
  readonly recovery?: Recovery;
  /** Interval between checks for an absent kind, in ms. */
  readonly absentPauseMs?: number;
}

interface Page {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly Listed[];
}

interface WatchLine {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: Listed & { readonly code?: number; readonly reason?: string; readonly message?: string };
}

/**
 * A watch that was open for this long, or that had an event, was useful; after other watches there is a pause, to avoid a
 * storm of requests.
 */
const STEADY_MS = 1000;

/** The parser's own message would quote the line, which may be a Secret. */
const parseLine = (line: string): WatchLine => {
  try {
    return JSON.parse(line) as WatchLine;
  } catch {
    throw new ApiError(0, "Malformed", `the watch told what is not JSON, ${line.length} characters`);
  }
};

const keyOf = ({ metadata: { namespace = "", name } }: Listed): string => `${namespace}/${name}`;

export const listWatch = (api: Api, options: ListWatchOptions): Observable<readonly ListWatchEvent[]> =>
  new Observable((subscriber) => {
    const {
      path,
      fieldSelector,
      pageSize = 500,
      watchSeconds = 300,
      livenessMs = 90_000,
      firstPauseMs = 200,
      longestPauseMs = 20_000,
      absentPauseMs = 2000,
      recovery = createRecovery(),
    } = options;
    const stopping = new AbortController();
    /** Reported objects, with their versions, to compare with a new list. */
    const known = new Map<string, Listed>();
    let version: string | undefined;
    let isLost = false;
    let failures = 0;
    /** Number of consecutive lists and watches that were not useful, whether they failed or not. */
    let vain = 0;
    /** When the wait for a first list began, and how many were begun; undefined once one is complete. */
    let waiting: { readonly since: number; attempts: number } | undefined = { since: monotonicMs(), attempts: 0 };
    let isAbsent = false;
    /** The server's recovery count when the current request began. */
    let recoveries = 0;

    const tell = (...events: readonly ListWatchEvent[]): void => {
      if (events.length > 0) subscriber.next(events);
    };

    const works = (): readonly ListWatchEvent[] => {
      if (failures > 0) {
        recovery.recovered();
        // Failures from here on are not older than that.
        recoveries = recovery.count;
      }
      failures = 0;
      if (!isLost) return [];
      isLost = false;
      return [{ event: "restored" }];
    };

    const list = async (): Promise<void> => {
      if (waiting !== undefined) waiting.attempts += 1;
      const items: Listed[] = [];
      let page: Page | undefined;
      do {
        const query = { limit: pageSize, continue: page?.metadata.continue, fieldSelector };
        page = await api.json<Page>({ path, query, signal: stopping.signal });
        items.push(...page.items);
      } while (page.metadata.continue !== undefined && page.metadata.continue !== "");
      version = page.metadata.resourceVersion;

      const present = new Set(items.map(keyOf));
      const events: ListWatchEvent[] = [...works()];
      for (const [key, object] of known)
        if (!present.has(key)) {
          known.delete(key);
          events.push({ event: "gone", object });
        }
      for (const object of items) {
        const before = known.get(keyOf(object));
        known.set(keyOf(object), stub(object));
        if (before?.metadata.resourceVersion !== object.metadata.resourceVersion)
          events.push({ event: "seen", object });
      }
      const first = waiting && {
        objects: items.length,
        seconds: Math.round(monotonicMs() - waiting.since) / 1000,
        attempts: waiting.attempts,
      };
      waiting = undefined;
      isAbsent = false;
      tell(...events, { event: "listed", ...(first === undefined ? {} : { first }) });
    };

    const take = (line: WatchLine): readonly ListWatchEvent[] => {
      const { type, object } = line;
      switch (type) {
        case "ADDED":
        case "MODIFIED":
          version = object.metadata.resourceVersion ?? version;
          known.set(keyOf(object), stub(object));
          return [{ event: "seen", object }];
        case "DELETED":
          version = object.metadata.resourceVersion ?? version;
          known.delete(keyOf(object));
          return [{ event: "gone", object }];
        case "BOOKMARK":
          version = object.metadata.resourceVersion ?? version;
          return [];
        case "ERROR":
          throw new ApiError(object.code ?? 500, object.reason ?? "", object.message ?? "the watch failed");
        default:
          return type satisfies never;
      }
    };

    /** Whether the watch was useful before it ended. */
    const watch = async (): Promise<boolean> => {
      let openedAt = Number.POSITIVE_INFINITY;
      const dead = new AbortController();
      const liveness = setTimeout(() => dead.abort(new Error(`no word for ${livenessMs} ms`)), livenessMs);
      try {
        const stream = await api.stream({
          path,
          query: {
            watch: true,
            allowWatchBookmarks: true,
            resourceVersion: version,
            timeoutSeconds: watchSeconds,
            fieldSelector,
          },
          signal: AbortSignal.any([stopping.signal, dead.signal]),
        });
        openedAt = monotonicMs();
        tell(...works());
        let told = false;
        for await (const line of linesOf(stream)) {
          liveness.refresh();
          tell(...take(parseLine(line)));
          told = true;
          vain = 0;
        }
        return told || monotonicMs() - openedAt > STEADY_MS;
      } finally {
        clearTimeout(liveness);
        if (monotonicMs() - openedAt > STEADY_MS) vain = 0;
      }
    };

    const vanish = (): void => {
      const events = [...known.values()].map((object): ListWatchEvent => ({ event: "gone", object }));
      known.clear();
      version = undefined;
      waiting = { since: monotonicMs(), attempts: 0 };
      tell(...works(), ...events, ...(isAbsent ? [] : [{ event: "absent" } as const]));
      isAbsent = true;
    };

    /** Whether the list must be read again after `error`. */
    const isExpired = (error: unknown): boolean =>
      error instanceof ApiError && (error.status === 410 || error.reason === "Expired" || error.reason === "Gone");

    const pauseMs = (): number => backoffMs({ firstMs: firstPauseMs, longestMs: longestPauseMs }, Math.max(vain, 1));

    /** @param askedMs the pause that the server requested. */
    const pauseAfterFailure = (askedMs: number | undefined): Promise<void> =>
      askedMs === undefined
        ? recovery.pause(pauseMs(), stopping.signal, recoveries)
        : rest(Math.max(pauseMs(), Math.min(askedMs, longestPauseMs)));

    const rest = (ms: number): Promise<void> =>
      sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);

    const run = async (): Promise<void> => {
      while (!stopping.signal.aborted) {
        recoveries = recovery.count;
        try {
          if (version === undefined) await list();
          else if (!(await watch())) {
            vain += 1;
            await rest(pauseMs());
          }
        } catch (error) {
          if (stopping.signal.aborted) return;
          if (isExpired(error)) {
            version = undefined;
            vain += 1;
            // Once is normal; a server whose lists always expire too soon must not be asked without end.
            if (vain > 1) await rest(pauseMs());
            continue;
          }
          if (error instanceof ApiError && error.status === 404) {
            vanish();
            await rest(absentPauseMs * (0.75 + Math.random() / 2));
            continue;
          }
          failures += 1;
          vain += 1;
          // An occasional end of a watch is normal; a second consecutive failure is not.
          if (!isLost && (failures > 1 || version === undefined)) {
            isLost = true;
            tell({ event: "lost", reason: messageOf(error) });
          }
          await pauseAfterFailure(error instanceof ApiError ? error.retryAfterMs : undefined);
        }
      }
    };

    void run();
    return () => stopping.abort();
  });

/** The part of an object that is needed to report its removal. */
const stub = ({ metadata: { name, namespace, resourceVersion } }: Listed): Listed => ({
  metadata: {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  },
});
