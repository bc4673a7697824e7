/** A kubeconfig as kubectl finds it: a file, `KUBECONFIG`, `~/.kube/config`, or the service account of the pod that we run in. */
import type { KubeConfig } from "@kubernetes/client-node";
import { TurnpikeError } from "../errors.ts";

export interface KubeconfigOptions {
  /** Path; without it the usual places. */
  readonly kubeconfig?: string | undefined;
  /** Without it the current one. */
  readonly context?: string | undefined;
}

/** @throws TurnpikeError `kubeconfig-invalid`; the error of reading the file. */
export const loadKubeconfig = async ({ kubeconfig, context }: KubeconfigOptions): Promise<KubeConfig> => {
  // Loaded only here: it takes 370 ms and 80 MB that a dataplane does without.
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (error) {
    if (error instanceof Error && "syscall" in error) throw error;
    // The parser's own message would quote the file, tokens and all.
    throw new TurnpikeError("kubeconfig-invalid", `${kubeconfig ?? "the kubeconfig"} cannot be understood`);
  }
  if (context !== undefined) {
    if (config.getContextObject(context) === null)
      throw new TurnpikeError("kubeconfig-invalid", `${kubeconfig ?? "the kubeconfig"} has no context ${context}`);
    config.setCurrentContext(context);
  }
  return config;
};

/** The namespace that commands are about where they do not say: the context's. */
export const namespaceOf = (config: KubeConfig): string =>
  config.getContextObject(config.getCurrentContext())?.namespace ?? "default";
