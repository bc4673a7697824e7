/** Configs as they change, from a discovery server that may be unavailable at times: ours or STUNner's. */
import { messageOf } from "../errors.ts";
import { backoffMs } from "../retry.ts";
import { Observable } from "rxjs";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { openConnection, type KeepaliveTiming } from "./connection.ts";
import { parseDocument, readConfig } from "./document.ts";
import { addressOf, type DiscoveryTarget } from "./origin.ts";
import { expandPlaceholders, type Environment } from "./placeholders.ts";
import { isZeroConfig } from "./protocol.ts";

export type ConfigEvent =
  /** Also for known configs: the server sends its state anew on every connection. */
  | { readonly event: "config"; readonly config: DataplaneConfig }
  /** The Gateway was removed. A dataplane continues to serve: its pod ends after its calls. */
  | { readonly event: "deleted"; readonly id: string }
  /** Once for each reason in an outage. The last configuration stays active. */
  | { readonly event: "lost"; readonly reason: string }
  | { readonly event: "restored" }
  /** An invalid config; the previous one stays active. `reason` quotes no credential. */
  | { readonly event: "refused"; readonly reason: string };

export interface WatchTiming extends KeepaliveTiming {
  /**
   * The pause after a first failure, which doubles with each further one. Each pause is random, between half of it and all
   * of it.
   */
  readonly retryFirstMs: number;
  readonly retryMostMs: number;
}

export interface WatchOptions extends DiscoveryTarget {
  /** Values of placeholders; the process's environment by default. */
  readonly environment?: Environment;
  readonly timing?: Partial<WatchTiming>;
}

const DEFAULT_TIMING: WatchTiming = { pingMs: 5000, livenessMs: 8000, retryFirstMs: 1000, retryMostMs: 10_000 };

const eventOf = (text: string, id: string | undefined, environment: Environment): ConfigEvent => {
  if (text === "") return { event: "refused", reason: "the document is empty" };
  try {
    const config = readConfig(expandPlaceholders(parseDocument(text), environment));
    const { name } = config.admin;
    if (id !== undefined && name !== id) return { event: "refused", reason: `${id} was asked for, not ${name}` };
    return isZeroConfig(config) ? { event: "deleted", id: name } : { event: "config", config };
  } catch (error) {
    return { event: "refused", reason: messageOf(error) };
  }
};

/**
 * Watches `id`, or without it every config. Never completes; unsubscribing closes the connection. Fails with a RangeError
 * only if the origin or id is malformed.
 */
export const watchConfigs = (options: WatchOptions): Observable<ConfigEvent> =>
  new Observable((subscriber) => {
    const address = addressOf(options, { watch: "true" });
    const environment = options.environment ?? process.env;
    const timing = { ...DEFAULT_TIMING, ...options.timing };
    let failures = 0;
    let outage: string | undefined;
    let retry: NodeJS.Timeout | undefined;
    let disconnect: () => void;

    const opened = (): void => {
      failures = 0;
      if (outage === undefined) return;
      outage = undefined;
      subscriber.next({ event: "restored" });
    };
    const lost = (reason: string): void => {
      failures += 1;
      retry = setTimeout(connect, backoffMs({ firstMs: timing.retryFirstMs, longestMs: timing.retryMostMs }, failures));
      if (reason === outage) return;
      outage = reason;
      subscriber.next({ event: "lost", reason });
    };
    const connect = (): void => {
      disconnect = openConnection({
        address,
        ca: options.ca,
        timing,
        opened,
        document: (text) => subscriber.next(eventOf(text, options.id, environment)),
        lost,
      });
    };
    connect();
    return () => {
      clearTimeout(retry);
      disconnect();
    };
  });
