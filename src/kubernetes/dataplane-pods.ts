/** Pods of managed dataplanes, their deletion cost, and the number of allocations that each reports. */
import { request } from "undici";
import { messageOf, TurnpikeError } from "../errors.ts";
import { formatHostPort } from "../net/host-port.ts";
import { nameOf, type Name } from "../resources/keys.ts";
import {
  APP_LABEL,
  APP_LABEL_VALUE,
  DELETION_COST_ANNOTATION,
  FIELD_MANAGER,
  RELATED_GATEWAY_NAME,
  RELATED_GATEWAY_NAMESPACE,
} from "../resources/names.ts";
import { ApiError, type Api } from "./api.ts";

export interface DataplanePod {
  readonly name: Name;
  readonly uid: string;
  readonly gateway: Name;
  readonly isReady: boolean;
  /** An IP literal, once it has one. */
  readonly address: string | undefined;
  /** 0 if it has no annotation. */
  readonly cost: number;
  /** Somebody else has set the cost. */
  readonly isForeignCost: boolean;
}

interface Annotated {
  readonly "f:metadata"?: { readonly "f:annotations"?: Readonly<Record<string, unknown>> };
}

interface StoredPod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly controller?: boolean }[];
    readonly managedFields?: readonly { readonly manager?: string; readonly fieldsV1?: Annotated }[];
  };
  readonly status?: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

const MAX_STATUS_BYTES = 16 * 1024 * 1024;
const STATUS_TIMEOUT_MS = 2000;
/** Statuses of pods that the API server reports when a pod no longer exists, or another one has its name. */
const GONE: ReadonlySet<number> = new Set([404, 409, 422]);

/** Of several managers, the last one to change a value owns it alone. */
const isOurCost = ({ metadata }: StoredPod): boolean =>
  (metadata.managedFields ?? []).some(
    ({ manager, fieldsV1 }) =>
      manager === FIELD_MANAGER &&
      fieldsV1?.["f:metadata"]?.["f:annotations"]?.[`f:${DELETION_COST_ANNOTATION}`] !== undefined,
  );

const podOf = (pod: StoredPod): DataplanePod => {
  const { name, namespace, uid, labels, annotations } = pod.metadata;
  const cost = annotations?.[DELETION_COST_ANNOTATION];
  return {
    name: nameOf(namespace, name),
    uid,
    gateway: nameOf(namespace, labels?.[RELATED_GATEWAY_NAME] ?? ""),
    isReady: (pod.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True"),
    address: pod.status?.podIP,
    cost: Number(cost ?? 0),
    isForeignCost: cost !== undefined && !isOurCost(pod),
  };
};

const isOfReplicaSet = ({ metadata }: StoredPod): boolean =>
  (metadata.ownerReferences ?? []).some(({ kind, controller }) => kind === "ReplicaSet" && controller === true);

/**
 * Pods of all Deployments of dataplanes, without those that end.
 * @param namespaces all if absent. @throws ApiError
 */
export const listDataplanePods = async (
  api: Api,
  namespaces: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<readonly DataplanePod[]> => {
  const labelSelector = `${APP_LABEL}=${APP_LABEL_VALUE},${RELATED_GATEWAY_NAME}`;
  const paths = namespaces?.map((namespace) => `/api/v1/namespaces/${namespace}/pods`) ?? ["/api/v1/pods"];
  const lists = await Promise.all(
    paths.map((path) =>
      // Any version will do, so the API server answers from memory.
      api.json<{ readonly items: readonly StoredPod[] }>({
        path,
        query: { labelSelector, resourceVersion: 0 },
        signal,
      }),
    ),
  );
  return lists
    .flatMap(({ items }) => items)
    .filter(
      (pod) =>
        pod.metadata.deletionTimestamp === undefined &&
        pod.metadata.labels?.[RELATED_GATEWAY_NAMESPACE] === pod.metadata.namespace &&
        isOfReplicaSet(pod),
    )
    .map(podOf);
};

const statusOf = async (address: string, port: number, signal: AbortSignal): Promise<unknown> => {
  const answer = await request(`http://${formatHostPort({ host: address, port })}/status`, { signal });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_STATUS_BYTES) throw new Error(`more than ${MAX_STATUS_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (answer.statusCode !== 200) throw new Error(`it answered ${answer.statusCode}`);
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
};

/** What the pod's `/status` says. @throws TurnpikeError `pod-status` */
export const allocationsOfPod = async (address: string, port: number, signal: AbortSignal): Promise<number> => {
  const late = AbortSignal.timeout(STATUS_TIMEOUT_MS);
  try {
    const status = await statusOf(address, port, AbortSignal.any([signal, late]));
    const count =
      typeof status === "object" && status !== null && "allocationCount" in status && status.allocationCount;
    if (typeof count === "number" && Number.isInteger(count) && count >= 0) return count;
    throw new Error("it contains no allocationCount");
  } catch (error) {
    const reason = late.aborted ? `no answer within ${STATUS_TIMEOUT_MS} ms` : messageOf(error);
    throw new TurnpikeError("pod-status", `/status at ${formatHostPort({ host: address, port })}: ${reason}`);
  }
};

/** Writes the annotation, and nothing else; not to another pod of the same name. @throws ApiError */
export const annotateDeletionCost = async (
  api: Api,
  { name, uid }: Pick<DataplanePod, "name" | "uid">,
  cost: number,
  signal: AbortSignal,
): Promise<void> => {
  const [namespace, pod] = name.split("/");
  try {
    await api.json({
      method: "PATCH",
      path: `/api/v1/namespaces/${namespace}/pods/${pod}`,
      query: { fieldManager: FIELD_MANAGER },
      contentType: "application/merge-patch+json",
      body: { metadata: { uid, annotations: { [DELETION_COST_ANNOTATION]: String(cost) } } },
      signal,
    });
  } catch (error) {
    if (!(error instanceof ApiError) || !GONE.has(error.status)) throw error;
  }
};
