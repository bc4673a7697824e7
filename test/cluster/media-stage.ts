/**
 * A stage for what users are promised, end to end: real Deployments and EndpointSlices, our operator, and for each pod a process
 * in a network of its own: media servers, and the dataplanes that the operator asked for.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { startOperator, type Operator, type OperatorOptions } from "../../src/runtime/operator.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { STUNNERD } from "../support/dataplane-process.ts";
import { keepLog } from "../support/logs.ts";
import { enterOwnNetwork, HOST_ADDRESS } from "../support/network.ts";
import { startStream, type Stream } from "../support/stream.ts";
import { orAbsent, type Literal } from "./client.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { credentials, dataplane, gateway, media, MEDIA_PORT, meta, NAMESPACE, world } from "./media-world.ts";
import { startNodeAgent, type NodeAgent, type Pod } from "./node-agent.ts";
import { resetCluster } from "./reset.ts";
import { eventually } from "../support/eventually.ts";

export const DISCOVERY = 13_478;

/** Registers the hooks of a test file: each test begins with the world, two media servers, and an operator that runs. */
export const useMediaStage = () => {
  let cluster: Cluster;
  let node: NodeAgent;
  let operator: Operator | undefined;
  let root: string;
  let streams: Stream[];
  let starts = 0;

  beforeAll(async () => {
    enterOwnNetwork();
    cluster = await startCluster();
  });
  afterAll(async () => {
    await cluster?.stop();
  });

  const apply = (...objects: readonly Literal[]) => Promise.all(objects.map((object) => cluster.client.apply(object)));

  const newOperator = (more: Partial<OperatorOptions> = {}): Promise<Operator> =>
    startOperator({
      kubeconfig: cluster.kubeconfig,
      render: operatorOptions({ discoveryAddress: `${HOST_ADDRESS}:${DISCOVERY}` }),
      journal: join(root, `operator-${(starts += 1)}`),
      discovery: { host: "0.0.0.0", port: DISCOVERY },
      finalizer: false,
      drainMs: 0,
      log: pino({ level: "silent" }),
      ...more,
    });
  const startOurs = async (more: Partial<OperatorOptions> = {}): Promise<Operator> => {
    operator = await newOperator(more);
    return operator;
  };
  const stopOurs = async (): Promise<void> => {
    const stopped = operator;
    operator = undefined;
    expect(await stopped?.stop("test")).toEqual([]);
  };

  const labelled = async (selector: string): Promise<readonly Pod[]> =>
    cluster.client.list<Pod>({ apiVersion: "v1", kind: "Pod", namespace: NAMESPACE, labelSelector: selector });
  /** Pods that run and are not on their way out. */
  const ready = async (selector: string, count: number): Promise<readonly Pod[]> =>
    eventually(async () => {
      const pods = (await labelled(selector)) as readonly (Pod & {
        readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
      })[];
      const are = pods.filter(
        ({ metadata, status }) =>
          metadata.deletionTimestamp === undefined &&
          status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true,
      );
      expect(are).toHaveLength(count);
      return are;
    });
  const address = (pod: Pod): string => node.addressOf(pod.metadata.name)!;

  const served = async (): Promise<string> =>
    (await fetch(`http://127.0.0.1:${DISCOVERY}/api/v1/configs/${NAMESPACE}/gateway`)).text();
  const serves = (...pods: readonly Pod[]) =>
    eventually(async () => {
      const text = await served();
      for (const pod of pods) expect(text).toContain(`"${address(pod)}"`);
    });

  /** A call through the relay at an address to a media pod. */
  const callAt = async (host: string, port: number, to: string, transport: "udp" | "tcp" = "udp"): Promise<Stream> => {
    const connection = { host, port, transport, ...credentials };
    // The endpoint is on its way to the dataplane.
    const stream = await eventually(() => startStream(connection, { address: to, port: MEDIA_PORT }));
    streams.push(stream);
    await stream.flows(5);
    return stream;
  };
  /** A call through a dataplane pod to a media pod. */
  const call = (through: Pod, to: string, transport?: "udp" | "tcp"): Promise<Stream> =>
    callAt(address(through), 3478, to, transport);
  /** A client may not reach `to` through `through`, or soon may not: what the operator serves is on its way to the dataplane. */
  const refused = (through: Pod, to: string): Promise<void> =>
    eventually(async () => {
      const client = await TurnClient.connect({ host: address(through), port: 3478, ...credentials });
      try {
        await client.allocate();
        await expect(client.createPermission(to)).rejects.toMatchObject({ code: 403 });
      } finally {
        client.close();
      }
    });
  /** As a person does it: with the pod's own grace period. */
  const deletePod = async ({ metadata }: Pod): Promise<void> => {
    await cluster.client.request(`/api/v1/namespaces/${NAMESPACE}/pods/${metadata.name}`, { method: "DELETE" });
  };
  const exists = async (
    reference: Pick<Literal, "apiVersion" | "kind"> & { readonly name: string },
  ): Promise<boolean> =>
    (await cluster.client.get({ ...reference, metadata: meta(reference.name) }).catch(orAbsent)) !== undefined;

  const programmed = async (): Promise<string | undefined> => {
    const object = await cluster.client.get<{
      readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
    }>(gateway());
    return object.status?.conditions?.find(({ type }) => type === "Programmed")?.status;
  };

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "turnpike-promises-"));
    streams = [];
    await resetCluster(cluster.client);
    await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
    node = await startNodeAgent(cluster.client, {
      stunnerd: [STUNNERD],
      "media-server": [process.execPath, fileURLToPath(new URL("media-server.ts", import.meta.url))],
    });
    await apply(dataplane(), ...world, ...media("media", 2));
    await startOurs();
  });

  afterEach(async () => {
    for (const stream of streams) stream.stop();
    await operator?.stop("test", 1000);
    operator = undefined;
    await resetCluster(cluster.client);
    await node.close();
    for (const folder of readdirSync(root)) replays(join(root, folder));
    rmSync(root, { recursive: true, force: true });
  });

  const replays = (journal: string): void => {
    expect(replay(readJournal(journal), digest).divergence).toBeUndefined();
    keepLog(journal);
  };
  /** The logs of all dataplanes that ran. */
  const dataplanesReplay = (): void => {
    const journals = readdirSync(node.folder)
      .map((pod) => join(node.folder, pod, ".turnpike/dataplane"))
      .filter((journal) => existsSync(journal));
    expect(journals.length).toBeGreaterThan(0);
    for (const journal of journals) replays(journal);
  };

  return {
    get cluster() {
      return cluster;
    },
    get node() {
      return node;
    },
    apply,
    newOperator,
    startOurs,
    stopOurs,
    labelled,
    ready,
    address,
    served,
    serves,
    call,
    callAt,
    refused,
    deletePod,
    exists,
    programmed,
    dataplanesReplay,
  };
};
