/**
 * The end of an installation, as a separate program: stops the operator of a Deployment, and then removes everything that
 * is managed, while the permissions for that still exist.
 */
import { setTimeout as after } from "node:timers/promises";
import type { Logger } from "pino";
import { TurnpikeError } from "../errors.ts";
import { orAbsent, type Api } from "../kubernetes/api.ts";
import { connect } from "../kubernetes/connect.ts";
import { startOperator, type OperatorOptions } from "./operator.ts";

export interface FinalizeOptions {
  /** The configuration of the operator to stop; this program takes the same Lease. */
  readonly operator: Omit<OperatorOptions, "finalizer" | "relay">;
  /** The Deployment that runs it. */
  readonly deployment: { readonly namespace: string; readonly name: string };
  /** Time limit for removing everything, in ms. */
  readonly limitMs: number;
}

interface Scale {
  readonly status?: { readonly selector?: string };
}

interface PodList {
  readonly items: readonly { readonly metadata: { readonly name: string } }[];
}

const LOOK_MS = 250;

/** Resolves when the last pod has ended; at once, if there is no such Deployment. */
const stopDeployment = async (
  api: Api,
  { namespace, name }: FinalizeOptions["deployment"],
  log: Logger,
): Promise<void> => {
  const scale = await api
    .json<Scale>({
      method: "PATCH",
      path: `/apis/apps/v1/namespaces/${namespace}/deployments/${name}/scale`,
      contentType: "application/merge-patch+json",
      body: { spec: { replicas: 0 } },
    })
    .catch(orAbsent);
  if (scale === undefined) return;
  const { selector } = scale.status ?? {};
  if (selector === undefined) throw new Error(`the scale of Deployment ${namespace}/${name} has no selector`);
  for (let said = ""; ; await after(LOOK_MS)) {
    const { items } = await api.json<PodList>({
      path: `/api/v1/namespaces/${namespace}/pods`,
      query: { labelSelector: selector },
    });
    if (items.length === 0) return;
    const pods = items.map(({ metadata }) => metadata.name).join(", ");
    if (pods !== said) log.info({ pods }, "waiting for the operator to end");
    said = pods;
  }
};

/** @throws TurnpikeError `finalize-incomplete`; ApiError if the Deployment cannot be stopped. */
export const finalize = async ({ operator: options, deployment, limitMs }: FinalizeOptions): Promise<void> => {
  const { log } = options;
  const api = await connect(options.kubeconfig);
  try {
    await stopDeployment(api, deployment, log);
  } finally {
    await api.close();
  }
  const operator = await startOperator({
    ...options,
    // No config is served from here on.
    discovery: { ...options.discovery, host: "127.0.0.1", port: 0 },
    finalizer: true,
  });
  await new Promise<void>((resolve) => {
    operator.loop.onFact((fact) => {
      if (fact.type === "watch.lost" || fact.type === "effect.failed") log.warn(fact.data, fact.type);
      if (fact.type === "object.written") log.info(fact.data, fact.type);
      if (fact.type === "lease.acquired") resolve();
    });
  });
  const left = await operator.stop("finalize", limitMs);
  if (left.length > 0) throw new TurnpikeError("finalize-incomplete", `still there: ${left.join(", ")}`);
  log.info("everything that was managed is removed");
};
