/** Whether relays of a suite forward in the kernel: `test/offload/` runs suites a second time that way. */
import type { AdminConfig } from "../../src/resources/dataplane-config.ts";

const INTERFACES = "TURNPIKE_TEST_OFFLOAD";

/** To be called before a suite is imported. */
export const offloadOn = (...interfaces: readonly string[]): void => void (process.env[INTERFACES] = interfaces.join());

/** What a config asks for. */
export const offload = (): Pick<AdminConfig, "offload_engine" | "offload_interfaces"> => {
  const interfaces = process.env[INTERFACES];
  return interfaces === undefined ? {} : { offload_engine: "TC", offload_interfaces: interfaces.split(",") };
};

/** The engines that a suite is run with: one of them is enough a second time. */
export const engines = (): readonly ("batch" | "dgram")[] =>
  process.env[INTERFACES] === undefined ? ["dgram", "batch"] : ["batch"];
