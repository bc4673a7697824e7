/** All watchers: sends them changes in batches, between which other work runs, and enforces their deadlines. */
import type { WebSocket } from "ws";
import { frameFor, type WatchRequest } from "./api.ts";
import type { ConfigStore } from "./store.ts";
import { createWatcher, type Watcher, type WatchEnd, type WatchLimits } from "./watcher.ts";

/** Events for logs and metrics; `peer` is `ADDRESS:PORT`. */
export type WatchReport =
  | { readonly event: "opened"; readonly peer: string; readonly watch: WatchRequest }
  /**
   * The config `id` was sent: the kernel accepted it `seconds` after the socket received it. `isNews`: because it changed,
   * not because the watch began.
   */
  | {
      readonly event: "pushed";
      readonly peer: string;
      readonly id: string;
      readonly bytes: number;
      readonly seconds: number;
      readonly isNews: boolean;
    }
  | { readonly event: "closed"; readonly peer: string; readonly watch: WatchRequest; readonly reason: WatchEnd };

export interface HubOptions {
  readonly store: ConfigStore;
  readonly limits: WatchLimits;
  readonly addressesOfNode: (node: string) => readonly string[];
  readonly report: (event: WatchReport) => void;
}

export interface Hub {
  /** Sends `socket` the current state, and changes from then on. */
  open(socket: WebSocket, peer: string, watch: WatchRequest): void;
  /** Sends watchers on `node` its new address, if that changes their config. */
  nodeChanged(node: string): void;
  /** Drops watchers that are dead or too slow. */
  sweep(): void;
  /** Closes all watches. */
  close(reason: "standby" | "shutdown", code?: number): void;
  stats(): { readonly watchers: number; readonly framesSent: number; readonly bytesSent: number };
}

/** Number of watchers that are served before other work runs. */
const BATCH = 256;

interface Watch extends WatchRequest {
  readonly watcher: Watcher;
}

export const createHub = ({ store, limits, addressesOfNode, report }: HubOptions): Hub => {
  const watches = new Set<Watch>();
  const due = new Set<Watcher>();
  let turn: NodeJS.Immediate | undefined;
  let framesSent = 0;
  let bytesSent = 0;

  const tellDue = (): void => {
    turn = undefined;
    let left = BATCH;
    for (const watcher of due) {
      if (left === 0) {
        turn = setImmediate(tellDue);
        return;
      }
      left -= 1;
      due.delete(watcher);
      watcher.pump();
    }
  };
  const mark = (watcher: Watcher, id: string): void => {
    watcher.mark(id);
    due.add(watcher);
    turn ??= setImmediate(tellDue);
  };

  return {
    open(socket, peer, watch) {
      /** The state when the watch began, until it has been sent. */
      const atFirst = new Set(store.list(watch.scope).map(({ id }) => id));
      const watcher = createWatcher({
        socket,
        limits,
        frameOf: (id) => {
          const stored = store.get(id);
          return stored === undefined ? undefined : frameFor(stored, watch.node, addressesOfNode);
        },
        sent: (_, bytes) => {
          framesSent += 1;
          bytesSent += bytes;
        },
        taken: (id, bytes, seconds) =>
          report({ event: "pushed", peer, id, bytes, seconds, isNews: !atFirst.delete(id) }),
        ended: (reason) => {
          unsubscribe();
          watches.delete(entry);
          due.delete(watcher);
          report({ event: "closed", peer, watch, reason });
        },
      });
      const entry: Watch = { ...watch, watcher };
      const unsubscribe = store.subscribe(watch.scope, (id) => mark(watcher, id));
      watches.add(entry);
      report({ event: "opened", peer, watch });
      for (const { id } of store.list(watch.scope)) watcher.mark(id);
      watcher.pump();
    },
    nodeChanged(node) {
      for (const watch of watches)
        if (watch.node === node && watch.scope.of === "config") mark(watch.watcher, watch.scope.id);
    },
    sweep() {
      const now = performance.now();
      for (const { watcher } of watches) watcher.sweep(now);
    },
    close(reason, code) {
      for (const { watcher } of watches) watcher.close(reason, code);
    },
    stats: () => ({ watchers: watches.size, framesSent, bytesSent }),
  };
};
