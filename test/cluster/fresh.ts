/** The end of every story of faults: a new operator, which knows nothing, comes to the same. */
import { join } from "node:path";
import { expect } from "vitest";
import type { Operator, OperatorOptions } from "../../src/runtime/operator.ts";
import type { Cluster } from "./cluster.ts";
import type { Asked } from "./faulty/faults.ts";
import { startFaultyProxy } from "./faulty/proxy.ts";
import { createRandom } from "./faulty/random.ts";
import { optionsOf, startQuietly } from "./operators.ts";
import { objectsIn, replays, settled } from "./survey.ts";
import { eventually } from "../support/eventually.ts";

/** A write that changes what is; Events and leases only tell. */
export const isChange = ({ verb, path }: Asked): boolean =>
  verb === "write" && !path.includes("/events.k8s.io/") && !path.includes("/leases");

export interface Ending {
  readonly cluster: Cluster;
  readonly root: string;
  readonly operator: Operator;
  readonly stop: () => Promise<unknown>;
  /** Of the operator, a folder in `root`. */
  readonly journal: string;
  readonly namespace?: string;
  readonly overrides?: Partial<OperatorOptions>;
}

/** Ends the operator. A new one finds that all is as it should be, and writes nothing; both logs replay. */
export const isWhatAFreshOneComputes = async (ending: Ending): Promise<void> => {
  const { cluster, root, operator, stop, journal, namespace = "ns", overrides = {} } = ending;
  const before = await settled(cluster, operator);
  const versions = await objectsIn(cluster, namespace);
  await stop();
  replays(join(root, journal));

  const fresh = `fresh-${journal}`;
  const proxy = await startFaultyProxy(cluster, { file: join(root, `${fresh}.kubeconfig`), random: createRandom(0) });
  const next = await startQuietly(optionsOf(root, fresh, proxy.kubeconfig, overrides));
  try {
    await eventually(() => expect(next.state).toBe("leading"));
    expect(await settled(cluster, next)).toEqual(before);
    expect(proxy.asked.filter(isChange)).toEqual([]);
    expect(await objectsIn(cluster, namespace)).toEqual(versions);
  } finally {
    await next.stop("test");
    await proxy.stop();
  }
  replays(join(root, fresh));
};
