/** Where histories are made: a real cluster, the small world in it, an operator, and the log that it writes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { digest } from "../../../src/journal/digest.ts";
import type { FactLine, JournalLine, MachineId } from "../../../src/journal/fact.ts";
import { readJournal } from "../../../src/journal/reader.ts";
import type { Operator, OperatorOptions } from "../../../src/runtime/operator.ts";
import { cutSlice } from "../../../src/slices/cut.ts";
import type { Client, Literal } from "../../cluster/client.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { startFaultyProxy, type FaultyProxy } from "../../cluster/faulty/proxy.ts";
import { createRandom } from "../../cluster/faulty/random.ts";
import { optionsOf, startQuietly } from "../../cluster/operators.ts";
import { resetCluster } from "../../cluster/reset.ts";
import { startKubelet, type Kubelet } from "./kubelet.ts";
import { namespace, NAMESPACE, world } from "./manifests.ts";

export interface Stage {
  readonly cluster: Cluster;
  readonly client: Client;
  readonly proxy: FaultyProxy;
  readonly kubelet: Kubelet;
  /** Folder for logs. */
  readonly root: string;
  readonly operator: Operator;
  /** Facts that the operator has learned since it started. */
  readonly facts: readonly FactLine[];
  apply(...objects: readonly Literal[]): Promise<void>;
  remove(...objects: readonly Literal[]): Promise<void>;
  /** Starts an operator that writes the log `journal`; `stage.operator` is that from now on. */
  start(overrides?: Partial<OperatorOptions>, journal?: string): Promise<Operator>;
  stop(): Promise<void>;
  options(overrides?: Partial<OperatorOptions>, journal?: string): Omit<OperatorOptions, "log">;
  state(machine: MachineId, entity: string): string | undefined;
  until(what: string, isSo: () => unknown): Promise<void>;
  /** Nothing is being written, and nothing more is learned. */
  settled(): Promise<void>;
  /** The history begins behind what is in the log now. */
  begins(): void;
  /** Which log the history is of, if it is not the first one. */
  isOf(journal: string): void;
}

export type Recipe = (stage: Stage) => Promise<void>;

export interface StageOptions {
  /** Of the Deployment in the world. */
  readonly replicas?: number;
  /** Instead of the world. */
  readonly world?: readonly Literal[];
  readonly overrides?: Partial<OperatorOptions>;
  /** No operator runs at first. */
  readonly isDark?: boolean;
}

const LIMIT_MS = 30_000;
const LOOK_EVERY_MS = 20;
/** That long without a new line, and whatever was on its way has arrived. */
const QUIET_MS = 500;

/** Plays a recipe. Returns its history. */
export const play = async (
  cluster: Cluster,
  options: StageOptions,
  recipe: Recipe,
): Promise<readonly JournalLine[]> => {
  const { client } = cluster;
  const root = mkdtempSync(join(tmpdir(), "turnpike-record-"));
  await resetCluster(client);
  await client.apply(namespace());
  const kubelet = await startKubelet(client, NAMESPACE, ["node-1", "node-2"]);
  const proxy = await startFaultyProxy(cluster, { file: join(root, "kubeconfig"), random: createRandom(1) });
  let operator: Operator | undefined;
  let facts: FactLine[] = [];
  let from: number | undefined;
  let recorded = "journal";

  const running = (): Operator => {
    if (operator === undefined) throw new Error("no operator runs");
    return operator;
  };
  const until: Stage["until"] = async (what, isSo) => {
    const limit = performance.now() + LIMIT_MS;
    while (!(await isSo())) {
      if (performance.now() > limit) throw new Error(`not within ${LIMIT_MS / 1000} s: ${what}`);
      await after(LOOK_EVERY_MS);
    }
  };
  const apply: Stage["apply"] = async (...objects) => {
    for (const object of objects) await client.apply(object);
  };

  const stage: Stage = {
    cluster,
    client,
    proxy,
    kubelet,
    root,
    get operator() {
      return running();
    },
    get facts() {
      return facts;
    },
    apply,
    async remove(...objects) {
      for (const object of objects) await client.delete(object);
    },
    options: (overrides = {}, journal = "journal") =>
      optionsOf(root, journal, proxy.kubeconfig, {
        // Not this machine's name.
        lease: { namespace: "default", name: "turnpike", holder: `operator-${journal}` },
        ...overrides,
      }),
    async start(overrides, journal) {
      operator = await startQuietly(stage.options(overrides, journal));
      facts = [];
      operator.loop.onFact((fact) => facts.push(fact));
      return operator;
    },
    async stop() {
      const stopped = running();
      operator = undefined;
      await stopped.stop("SIGTERM");
    },
    state: (machine, entity) => running().loop.core.registry.state(machine, entity),
    until,
    settled() {
      let seq = -1;
      return until("all is quiet", async () => {
        // A standby leaves the writing to the leader.
        const isDone = running().state !== "leading" || running().left.length === 0;
        const isQuiet = seq === running().journalSeq() && isDone;
        seq = running().journalSeq();
        await running().idle();
        if (!isQuiet) await after(QUIET_MS);
        return isQuiet;
      });
    },
    begins: () => void (from = running().journalSeq() + 1),
    isOf: (journal) => void (recorded = journal),
  };

  try {
    const replicas = options.replicas ?? 2;
    await apply(...(options.world ?? world(replicas)));
    await until(
      "pods run",
      async () => (await kubelet.pods()).filter(({ status }) => status?.podIP).length >= (options.world ? 0 : replicas),
    );
    if (options.isDark !== true) {
      await stage.start(options.overrides);
      await until("the operator leads", () => running().state === "leading");
      await stage.settled();
      stage.begins();
    }
    await recipe(stage);
    // The end of the recording is not part of what happened.
    const to = operator?.journalSeq();
    await operator?.stop("SIGTERM");
    operator = undefined;
    const read = () => readJournal(join(root, recorded));
    return cutSlice(read, { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }, digest).lines;
  } finally {
    await operator?.stop("SIGTERM", 1000);
    await kubelet.stop();
    await proxy.stop();
    rmSync(root, { recursive: true, force: true });
  }
};
