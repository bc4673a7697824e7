/** A relay with no gateways: `apply` gives it some. */
import { EmbeddedRelay } from "./embedded-relay.ts";
import type { Relay, RelayOptions } from "./relay.ts";
import { WorkerPool } from "./workers/pool.ts";

/** @throws why an engine that is asked for by name cannot run here. */
export const createRelay = (options: RelayOptions): Relay =>
  (options.workers ?? 0) > 0 && options.engine !== "dgram" && WorkerPool.isPossible(options)
    ? new WorkerPool(options)
    : new EmbeddedRelay(options);
