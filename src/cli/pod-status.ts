/** `/status` of dataplane pods: through the API server, or directly if their addresses are reachable. */
import type { KubeConfig } from "@kubernetes/client-node";
import { TurnpikeError } from "../errors.ts";
import { apiOf } from "../kubernetes/connect.ts";
import { loadKubeconfig, namespaceOf } from "../kubernetes/kubeconfig.ts";
import { findPods, forwardPort, type Pod } from "../kubernetes/port-forward.ts";
import { APP_LABEL, APP_LABEL_VALUE, RELATED_GATEWAY_NAME, RELATED_GATEWAY_NAMESPACE } from "../resources/names.ts";
import type { ClusterFlags } from "./discovery-options.ts";
import { addressAt } from "./address-at.ts";
import { withProgress } from "./output.ts";

export interface PodFlags extends ClusterFlags {
  readonly allNamespaces?: boolean;
  readonly podAddress?: string;
  readonly podName?: string;
  readonly podPort: number;
}

interface Stats {
  readonly rx?: { readonly pkts?: number; readonly bytes?: number };
  readonly tx?: { readonly pkts?: number; readonly bytes?: number };
}

/** The displayed fields of a dataplane's `/status`: ours, or STUNner's. */
export interface PodStatus {
  readonly version?: string;
  readonly admin?: Readonly<Record<string, unknown>>;
  readonly auth?: {
    readonly type?: string;
    readonly realm?: string;
    readonly credentials?: Readonly<Record<string, string>>;
  };
  readonly listeners?: readonly {
    readonly name: string;
    readonly protocol?: string;
    readonly address?: string;
    readonly port?: number;
    readonly public_address?: string;
    readonly public_port?: number;
    readonly routes?: readonly string[];
    readonly cert?: string;
    readonly key?: string;
    readonly stats?: Stats;
  }[];
  readonly clusters?: readonly {
    readonly name: string;
    readonly type?: string;
    readonly protocol?: string;
    readonly endpoints?: readonly string[];
    readonly stats?: Stats;
  }[];
  readonly allocationCount?: number;
  readonly status?: string;
}

export type PodAnswer = { readonly pod: string } & (
  | { readonly answered: true; readonly status: PodStatus }
  | { readonly answered: false; readonly reason: string }
);

const TIMEOUT_MS = 5000;

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
};

const ask = async (pod: string, at: string): Promise<PodAnswer> => {
  try {
    const response = await fetch(`http://${at}/status`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) return { pod, answered: false, reason: `it answered ${response.status}` };
    return { pod, answered: true, status: (await response.json()) as PodStatus };
  } catch (error) {
    return { pod, answered: false, reason: reasonOf(error) };
  }
};

/** Of the dataplane pods of a Gateway, or of all. */
export const labelsOf = (id: string | undefined): Readonly<Record<string, string>> => {
  const [namespace = "", name = ""] = id?.split("/") ?? [];
  return {
    [APP_LABEL]: APP_LABEL_VALUE,
    ...(id === undefined ? {} : { [RELATED_GATEWAY_NAME]: name, [RELATED_GATEWAY_NAMESPACE]: namespace }),
  };
};

/** One pod, by a port-forward. */
export const askPod = async (
  config: KubeConfig,
  pod: Pick<Pod, "namespace" | "name">,
  port: number,
): Promise<PodAnswer> => {
  const forwarded = await forwardPort(config, () => Promise.resolve(pod), port);
  try {
    return await ask(`${pod.namespace}/${pod.name}`, forwarded.at);
  } finally {
    forwarded.close();
  }
};

/** Of all pods of a Gateway, a namespace or a cluster. @throws TurnpikeError `gateway-unknown`, `api-refused`, `kubeconfig-invalid`. */
export const podStatuses = async (gateway: string | undefined, flags: PodFlags): Promise<readonly PodAnswer[]> => {
  const { podAddress, podName, podPort } = flags;
  if (podAddress !== undefined) {
    const at = addressAt("--pod-address", podAddress, podPort);
    return [await withProgress(`asking ${at}`, ask(at, at))];
  }
  const config = await loadKubeconfig(flags);
  const own = flags.namespace ?? namespaceOf(config);
  const id = gateway === undefined || gateway.includes("/") ? gateway : `${own}/${gateway}`;
  const namespace = id?.split("/")[0] ?? (flags.allNamespaces === true ? undefined : own);
  const api = await apiOf(config);
  let pods: readonly Pod[];
  try {
    pods = await withProgress("looking for pods", findPods(api, labelsOf(id), namespace));
  } finally {
    await api.close();
  }
  const asked = podName === undefined ? pods : pods.filter(({ name }) => name === podName);
  if (asked.length === 0)
    throw new TurnpikeError(
      "gateway-unknown",
      `there is no dataplane pod${podName === undefined ? "" : ` ${podName}`}${id === undefined ? "" : ` of gateway ${id}`}${namespace === undefined ? "" : ` in namespace ${namespace}`}`,
    );
  return withProgress(`asking ${asked.length} pods`, Promise.all(asked.map((pod) => askPod(config, pod, podPort))));
};
