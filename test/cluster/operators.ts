/** Operators for tests that disturb them: in this process, or in one of its own that can be killed. */
import { join } from "node:path";
import { pino } from "pino";
import { startOperator, type Operator, type OperatorOptions } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";

/** Patience that suits a test: what is silent is given up within two seconds, and lists have several pages. */
export const impatient: Pick<OperatorOptions, "listWatch" | "requestTimeoutMs"> = {
  listWatch: { firstPauseMs: 50, longestPauseMs: 500, absentPauseMs: 100, livenessMs: 2000, pageSize: 2 },
  requestTimeoutMs: 2000,
};

export const optionsOf = (
  root: string,
  journal: string,
  kubeconfig: string,
  overrides: Partial<OperatorOptions> = {},
): Omit<OperatorOptions, "log"> => ({
  kubeconfig,
  render: operatorOptions({ discoveryAddress: "127.0.0.1:13478" }),
  journal: join(root, journal),
  discovery: { host: "127.0.0.1", port: 0 },
  finalizer: false,
  listWatch: { firstPauseMs: 50, longestPauseMs: 500, absentPauseMs: 100 },
  ...overrides,
});

export const startQuietly = (options: Omit<OperatorOptions, "log">): Promise<Operator> =>
  startOperator({ ...options, log: pino({ level: "silent" }) });
