/**
 * A node for tests: takes pending pods, runs what they say as local processes, each in a network of its own, reports them
 * ready when they are, and ends them as a kubelet does: SIGTERM, the grace period, SIGKILL, and then the object.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { startInPod, HOST_ADDRESS, type Mounts, type PodProcess } from "../support/network.ts";
import { orAbsent, type Client } from "./client.ts";
import { addNode, endPod, finishPod, reportPod, schedulePod } from "./node.ts";
import { accountIn, type PodAccess } from "./pod-access.ts";

interface EnvironmentVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string } };
}

export interface Pod {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly deletionGracePeriodSeconds?: number;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly restartPolicy?: string;
    readonly serviceAccountName?: string;
    readonly automountServiceAccountToken?: boolean;
    readonly containers: readonly {
      readonly name: string;
      readonly command?: readonly string[];
      readonly args?: readonly string[];
      readonly env?: readonly EnvironmentVariable[];
      readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
      readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
      readonly readinessProbe?: {
        readonly httpGet?: { readonly path: string; readonly port: number | string };
        readonly tcpSocket?: { readonly port: number | string };
      };
    }[];
  };
}

interface Running {
  readonly address: string;
  readonly folder: string;
  readonly process: PodProcess;
  isReady: boolean | undefined;
  endsAt: number | undefined;
  hasEnded: boolean;
}

export interface NodeAgent {
  /** Address of a pod that runs; nothing for one that does not. */
  addressOf(pod: string): string | undefined;
  /** What a pod has printed; it stays when the pod is gone. */
  outputOf(pod: string): string;
  /** Pods run in folders below, named after them; what they left stays until `close`. */
  readonly folder: string;
  /** Rejects when the agent itself fails. */
  readonly failed: Promise<never>;
  /** Once more, where it was deleted with everything else. */
  addNode(): Promise<void>;
  /** Kills what runs. */
  close(): Promise<void>;
}

/** Where the chart's Dataplane keeps its log: the temporary folder is the machine's, and each pod must have its own. */
const SCRATCH = "/tmp/turnpike";

/** A folder for each volume, which is empty. */
const volumesIn = (folder: string, mounts: NonNullable<Pod["spec"]["containers"][number]["volumeMounts"]>): Mounts =>
  Object.fromEntries(
    mounts.map(({ name, mountPath }) => {
      const volume = join(folder, "volumes", name);
      mkdirSync(volume, { recursive: true });
      return [mountPath, volume];
    }),
  );

const NODE = "node-1";
const LOOK_MS = 50;

const isOpen = (address: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, address);
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });

/** Commands by the name that pods use for them: images are not pulled. */
export type Commands = Readonly<Record<string, readonly string[]>>;

/**
 * @param access how pods reach the API server; without it, they have no service account, and no volumes.
 * @param hostsFile names that pods can resolve.
 */
export const startNodeAgent = async (
  client: Client,
  commands: Commands,
  access?: PodAccess,
  hostsFile?: string,
): Promise<NodeAgent> => {
  const joinCluster = (): Promise<void> => addNode(client, NODE, [HOST_ADDRESS]);
  await joinCluster();
  const root = mkdtempSync(join(tmpdir(), "turnpike-node-"));
  const pods = new Map<string, Running>();
  const outputs = new Map<string, () => string>();
  let addresses = 0;
  const closing = new AbortController();

  const start = async (pod: Pod): Promise<void> => {
    const { name, uid } = pod.metadata;
    const number = (addresses += 1);
    const address = `10.244.${1 + Math.floor(number / 250)}.${1 + (number % 250)}`;
    const [container] = pod.spec.containers;
    const [program = "", ...rest] = [...(container?.command ?? []), ...(container?.args ?? [])];
    const fields: Readonly<Record<string, string>> = {
      "status.podIP": address,
      "spec.nodeName": NODE,
      "metadata.name": name,
      "metadata.namespace": pod.metadata.namespace,
    };
    const environment = Object.fromEntries(
      (container?.env ?? []).map(({ name: variable, value, valueFrom }) => [
        variable,
        value ?? fields[valueFrom?.fieldRef?.fieldPath ?? ""] ?? "",
      ]),
    );
    const folder = join(root, name);
    mkdirSync(folder);
    const command = [...(commands[program] ?? [program]), ...rest];
    const account = access && (await accountIn(client, pod, access, join(folder, "account")));
    // What pods run may lie below the machine's temporary folder, which so stays in sight.
    const own = (container?.volumeMounts ?? []).filter(({ mountPath }) => mountPath !== tmpdir());
    const mounted = [...own, { name: "scratch", mountPath: SCRATCH }];
    const mounts = {
      ...(access === undefined ? {} : { ...volumesIn(folder, mounted), ...account?.mounts }),
      ...(hostsFile === undefined ? {} : { "/etc/hosts": hostsFile }),
    };
    const whole = { HOME: folder, ...environment, ...account?.environment };
    const process = await startInPod(address, command, access === undefined ? environment : whole, folder, mounts);
    const running: Running = { address, folder, process, isReady: undefined, endsAt: undefined, hasEnded: false };
    pods.set(uid, running);
    outputs.set(name, () => process.output);
    void process.ended.then(() => (running.hasEnded = true));
  };

  const probe = async ({ address, hasEnded }: Running, pod: Pod): Promise<boolean> => {
    const [container] = pod.spec.containers;
    const { httpGet: probed, tcpSocket } = container?.readinessProbe ?? {};
    if (hasEnded) return false;
    const numberOf = (port: number | string): number =>
      container?.ports?.find(({ name }) => name === port)?.containerPort ?? Number(port);
    if (tcpSocket !== undefined) return isOpen(address, numberOf(tcpSocket.port));
    if (probed === undefined) return true;
    const answer = fetch(`http://${address}:${numberOf(probed.port)}${probed.path}`, {
      signal: AbortSignal.timeout(500),
    });
    return answer.then(
      ({ ok }) => ok,
      () => false,
    );
  };

  const end = async (running: Running, pod: Pod): Promise<void> => {
    const { process } = running;
    if (running.endsAt === undefined) {
      running.endsAt = performance.now() + (pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000;
      process.child.kill("SIGTERM");
    }
    if (performance.now() > running.endsAt) process.child.kill("SIGKILL");
    if (!running.hasEnded) return;
    pods.delete(pod.metadata.uid);
    await endPod(client, pod.metadata);
  };

  const look = async (pod: Pod): Promise<void> => {
    const running = pods.get(pod.metadata.uid);
    const isLeaving = pod.metadata.deletionTimestamp !== undefined;
    if (pod.spec.nodeName === undefined) {
      if (!isLeaving) await schedulePod(client, pod.metadata, NODE);
    } else if (running === undefined) await (isLeaving ? endPod(client, pod.metadata) : start(pod));
    else if (pod.spec.restartPolicy === "Never" && running.hasEnded && !isLeaving) {
      if (running.isReady !== false) await finishPod(client, pod.metadata, running.process.child.exitCode === 0);
      running.isReady = false;
    } else {
      const isReady = await probe(running, pod);
      if (isReady !== running.isReady) {
        await reportPod(client, pod.metadata, [running.address], isReady);
        running.isReady = isReady;
      }
      if (isLeaving) await end(running, pod);
    }
  };

  const work = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      const listed = await client.list<Pod>({ apiVersion: "v1", kind: "Pod" });
      // A pod may go between the look and the act.
      await Promise.all(listed.map((pod) => look({ ...pod, apiVersion: "v1", kind: "Pod" }).catch(orAbsent)));
      // What is gone without our word, by a namespace's end say.
      const present = new Set(listed.map(({ metadata }) => metadata.uid));
      for (const [uid, { process }] of pods)
        if (!present.has(uid)) {
          process.child.kill("SIGKILL");
          pods.delete(uid);
        }
      await after(LOOK_MS);
    }
  };
  const working = work();
  const failed = working.then(() => new Promise<never>(() => undefined));
  failed.catch(() => undefined);

  const find = (pod: string): Running | undefined =>
    [...pods.values()].find(({ folder }) => folder === join(root, pod));

  return {
    addressOf: (pod) => find(pod)?.address,
    outputOf: (pod) => outputs.get(pod)?.() ?? "",
    folder: root,
    failed,
    addNode: joinCluster,
    async close() {
      closing.abort();
      await working.catch(() => undefined);
      await Promise.all(
        [...pods.values()].map(({ process }) => {
          process.child.kill("SIGKILL");
          return process.ended;
        }),
      );
      rmSync(root, { recursive: true, force: true });
    },
  };
};
