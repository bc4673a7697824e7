/** A relay without gateways: `apply` adds them. */
import { EmbeddedRelay } from "./embedded-relay.ts";
import type { Relay, RelayOptions } from "./relay.ts";
import { WorkerPool } from "./workers/pool.ts";

/** @throws if an engine that is requested by name cannot run here; the message says why. */
export const createRelay = (options: RelayOptions): Relay =>
  (options.workers ?? 0) > 0 && options.engine !== "dgram" && WorkerPool.isPossible(options)
    ? new WorkerPool(options)
    : new EmbeddedRelay(options);
