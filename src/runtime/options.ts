/** The modes in which the same rules run: for a directory on this machine, as an operator for a cluster, in a dataplane. */
import { DEFAULT_CONTROLLER_NAME, DISCOVERY_PORT } from "../resources/names.ts";
import { RULES, type RenderOptions } from "../resources/view.ts";

/** Labels that deployment tools put on a Gateway and that generated objects must not inherit. */
const LABEL_FILTER = [
  "applyset.kubernetes.io/part-of",
  "applyset.k8s.io/part-of",
  "app.kubernetes.io/managed-by",
  "argocd.argoproj.io/instance",
  "kustomize.toolkit.fluxcd.io/name",
  "kustomize.toolkit.fluxcd.io/namespace",
] as const;

const common = {
  rules: RULES,
  controllerName: DEFAULT_CONTROLLER_NAME,
  endpointDiscovery: true,
  endpointSource: "EndpointSlice",
  requireReferenceGrants: false,
  labelFilter: LABEL_FILTER,
  discoveryTls: false,
} as const;

/** @param publicAddress at which clients reach the listeners. */
export const standaloneOptions = (publicAddress: string, overrides: Partial<RenderOptions> = {}): RenderOptions => ({
  ...common,
  mode: "standalone",
  relayToClusterIP: false,
  discoveryAddress: "",
  publicAddress,
  ...overrides,
});

/** Configs are received rendered. */
export const dataplaneOptions = (overrides: Pick<RenderOptions, "deniesPrivate"> = {}): RenderOptions => ({
  ...common,
  mode: "dataplane",
  relayToClusterIP: false,
  discoveryAddress: "",
  ...overrides,
});

export const operatorOptions = (overrides: Partial<RenderOptions> = {}): RenderOptions => ({
  ...common,
  mode: "managed",
  relayToClusterIP: true,
  discoveryAddress: `:${DISCOVERY_PORT}`,
  ...overrides,
});
