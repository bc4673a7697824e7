/** The arguments of an operator's container, as far as they affect rendering. */
import { DEFAULT_CONTROLLER_NAME } from "../resources/names.ts";
import type { RenderOptions } from "../resources/view.ts";

export interface OperatorArguments {
  readonly controllerName: string;
  readonly options: Partial<RenderOptions>;
  /** Name of its Lease, if it takes part in a leader election. */
  readonly lease: string | undefined;
}

const flagsOf = (args: readonly string[]): ReadonlyMap<string, string> =>
  new Map(
    args.flatMap((text) => {
      const [, name, value = "true"] = /^--?([a-z][\w-]*)(?:=(.*))?$/s.exec(text) ?? [];
      return name === undefined ? [] : [[name, value] as const];
    }),
  );

/** `KEY=VALUE,…` */
const labelsOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text.split(",").flatMap((pair) => {
      const [, key, value] = /^([^=]+)=(.*)$/.exec(pair) ?? [];
      return key === undefined || value === undefined ? [] : [[key, value]];
    }),
  );

/** @param namespace of the operator. */
export const operatorArguments = (args: readonly string[], namespace: string): OperatorArguments => {
  const flags = flagsOf(args);
  const isOn = (name: string): boolean => flags.get(name)?.toLowerCase() === "true";
  const clusterDomain = flags.get("cluster-domain");
  return {
    controllerName: flags.get("controller-name") ?? DEFAULT_CONTROLLER_NAME,
    lease: flags.get("leader-election-id"),
    options: {
      mode: flags.get("dataplane-mode")?.toLowerCase() === "legacy" ? "legacy" : "managed",
      endpointDiscovery: flags.get("endpoint-discovery")?.toLowerCase() !== "false",
      endpointSource: isOn("disable-endpointslice-controller") ? "Endpoints" : "EndpointSlice",
      requireReferenceGrants: isOn("require-reference-grants"),
      ...(clusterDomain === undefined ? {} : { clusterDomain }),
      ...(isOn("embedded")
        ? { embedded: { namespace, selector: labelsOf(flags.get("embedded-selector") ?? "") } }
        : {}),
    },
  };
};
