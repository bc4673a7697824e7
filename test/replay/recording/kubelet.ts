/** What nodes and a scheduler would do with the pods of a Deployment, by hand and at once. */
import { setTimeout as after } from "node:timers/promises";
import type { Client } from "../../cluster/client.ts";
import { addNode, endPod, reportPod, schedulePod } from "../../cluster/node.ts";
import { compareText } from "../../../src/order.ts";

export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
  };
  readonly spec: { readonly nodeName?: string };
  readonly status?: { readonly podIP?: string };
}

export interface Kubelet {
  /** Nodes that take new pods. */
  nodes: readonly string[];
  /** While it is so, pods that are to end take their time. */
  lingers: boolean;
  pods(): Promise<readonly Pod[]>;
  stop(): Promise<void>;
}

const EVERY_MS = 30;

export const startKubelet = async (client: Client, namespace: string, nodes: readonly string[]): Promise<Kubelet> => {
  const stopping = new AbortController();
  let given = 0;
  for (const node of nodes) await addNode(client, node);

  const pods = async (): Promise<readonly Pod[]> => {
    const all = await client.list<Pod>({ apiVersion: "v1", kind: "Pod", namespace, labelSelector: "app=sfu" });
    return all.toSorted((a, b) => compareText(a.metadata.name, b.metadata.name));
  };
  const kubelet: Kubelet = {
    nodes,
    lingers: false,
    pods,
    async stop() {
      stopping.abort();
      await running;
    },
  };

  const look = async (): Promise<void> => {
    for (const { metadata, spec } of await pods()) {
      if (metadata.deletionTimestamp !== undefined) {
        if (!kubelet.lingers) await endPod(client, metadata);
        continue;
      }
      const node = kubelet.nodes[given % kubelet.nodes.length];
      if (spec.nodeName !== undefined || node === undefined) continue;
      given += 1;
      await schedulePod(client, metadata, node);
      await reportPod(client, metadata, [`10.1.0.${given}`]);
    }
  };
  const running = (async () => {
    while (!stopping.signal.aborted) {
      // The API server may be away, as everybody else finds.
      await look().catch(() => undefined);
      await after(EVERY_MS);
    }
  })();
  return kubelet;
};
