/** Which engine moves packets: the fast one where it works, the portable one elsewhere. */
import { messageOf } from "../../errors.ts";
import type { Logger } from "pino";
import { createBatchEngine } from "./batch/batch.ts";
import { createDgramEngine } from "./dgram.ts";
import type { Engine, EngineOptions } from "./engine.ts";

export const engineNames = ["auto", "batch", "dgram"] as const;
export type EngineName = (typeof engineNames)[number];

/**
 * `auto` logs why it does not use `batch`. @throws if `batch` is requested by name and cannot run here; the message says
 * why.
 */
export const createEngine = (name: EngineName, options: EngineOptions, log: Logger): Engine => {
  if (name === "dgram") return createDgramEngine(options);
  try {
    return createBatchEngine(options);
  } catch (error) {
    if (name === "batch") throw error;
    const reason = messageOf(error);
    log.info({ reason }, "packets are moved by the dgram engine: the batch engine does not run here");
    return createDgramEngine(options);
  }
};
