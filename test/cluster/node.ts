/** What a node would do, by hand: the EndpointSlice controller leaves out pods of nodes that do not exist. */
import type { Client, Reference } from "./client.ts";

export interface PodReference {
  readonly name: string;
  readonly namespace?: string;
}

const podOf = (metadata: PodReference): Reference => ({ apiVersion: "v1", kind: "Pod", metadata });

export const addNode = async (client: Client, name: string, addresses: readonly string[] = []): Promise<void> => {
  const node = { apiVersion: "v1", kind: "Node", metadata: { name } };
  await client.apply(node);
  await client.patchStatus(node, {
    addresses: addresses.map((address) => ({ type: "InternalIP", address })),
    conditions: [{ type: "Ready", status: "True" }],
  });
};

/** Binds a pending pod to a node. */
export const schedulePod = async (client: Client, pod: PodReference, node: string): Promise<void> => {
  await client.request(await client.pathOf(podOf(pod), "/binding"), {
    method: "POST",
    body: { apiVersion: "v1", kind: "Binding", metadata: pod, target: { apiVersion: "v1", kind: "Node", name: node } },
  });
};

/** Says that a pod runs, with these addresses, and whether it is ready. */
export const reportPod = async (
  client: Client,
  pod: PodReference,
  addresses: readonly string[],
  isReady = true,
): Promise<void> => {
  await client.patchStatus(podOf(pod), {
    phase: "Running",
    podIP: addresses[0],
    podIPs: addresses.map((ip) => ({ ip })),
    conditions: [{ type: "Ready", status: isReady ? "True" : "False" }],
  });
};

/** Says that the process of a pod that is not to be started again has ended. */
export const finishPod = async (client: Client, pod: PodReference, succeeded: boolean): Promise<void> => {
  await client.patchStatus(podOf(pod), { phase: succeeded ? "Succeeded" : "Failed", conditions: [] });
};

/** Confirms that a pod has ended. One that was deleted is terminating until then, unless no node ever had it. */
export const endPod = async (client: Client, pod: PodReference): Promise<void> => client.delete(podOf(pod));
