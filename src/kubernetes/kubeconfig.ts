/** A kubeconfig, found as kubectl does: a file, `KUBECONFIG`, `~/.kube/config`, or the service account of the pod. */
import type { KubeConfig } from "@kubernetes/client-node";
import { TurnpikeError } from "../errors.ts";

export interface KubeconfigOptions {
  /** Path; the default locations if absent. */
  readonly kubeconfig?: string | undefined;
  /** The current context if absent. */
  readonly context?: string | undefined;
}

/** @throws TurnpikeError `kubeconfig-invalid`; the error of reading the file. */
export const loadKubeconfig = async ({ kubeconfig, context }: KubeconfigOptions): Promise<KubeConfig> => {
  // Loaded only here: it takes 370 ms and 80 MB that a dataplane does not need.
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (error) {
    if (error instanceof Error && "syscall" in error) throw error;
    // The parser's own message would quote the file, including tokens.
    throw new TurnpikeError("kubeconfig-invalid", `${kubeconfig ?? "the kubeconfig"} cannot be understood`);
  }
  if (context !== undefined) {
    if (config.getContextObject(context) === null)
      throw new TurnpikeError("kubeconfig-invalid", `${kubeconfig ?? "the kubeconfig"} has no context ${context}`);
    config.setCurrentContext(context);
  }
  return config;
};

/** The default namespace of commands: the context's. */
export const namespaceOf = (config: KubeConfig): string =>
  config.getContextObject(config.getCurrentContext())?.namespace ?? "default";
