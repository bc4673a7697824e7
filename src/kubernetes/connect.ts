/** The address and credentials of the API server: from a kubeconfig, or from the service account of the pod. */
import type { RequestOptions } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import { monotonicMs } from "../clock.ts";
import { messageOf, TurnpikeError } from "../errors.ts";
import { createApi, type Api } from "./api.ts";
import { loadKubeconfig } from "./kubeconfig.ts";

/** Credentials are read again after this many ms: service account tokens change on disk. */
const CREDENTIALS_MS = 20_000;

/**
 * @param kubeconfig path; without it `KUBECONFIG`, `~/.kube/config` or the pod's service account.
 * @param timeoutMs default timeout of requests.
 * @throws TurnpikeError `kubeconfig-invalid`; the error of reading it.
 */
export const connect = async (kubeconfig?: string, timeoutMs?: number): Promise<Api> =>
  apiOf(await loadKubeconfig({ kubeconfig }), timeoutMs);

/** The API server of `config`. @throws TurnpikeError `kubeconfig-invalid`. */
export const apiOf = async (config: KubeConfig, timeoutMs?: number): Promise<Api> => {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new TurnpikeError("kubeconfig-invalid", "the kubeconfig names no current cluster");

  const options = async (): Promise<RequestOptions> => {
    const filled: RequestOptions = {};
    await config.applyToHTTPSOptions(filled).catch((error: unknown) => {
      throw new TurnpikeError("kubeconfig-invalid", messageOf(error));
    });
    return filled;
  };
  const first = await options();
  let headers = first.headers;
  let askedAt = monotonicMs();
  return createApi({
    server: cluster.server,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    tls: {
      ...(first.ca === undefined ? {} : { ca: first.ca as string | Buffer }),
      ...(first.cert === undefined ? {} : { cert: first.cert as string | Buffer }),
      ...(first.key === undefined ? {} : { key: first.key as string | Buffer }),
      ...(cluster.skipTLSVerify ? { rejectUnauthorized: false } : {}),
    },
    async headers() {
      if (monotonicMs() - askedAt > CREDENTIALS_MS) {
        ({ headers } = await options());
        askedAt = monotonicMs();
      }
      return (headers ?? {}) as Readonly<Record<string, string>>;
    },
  });
};
