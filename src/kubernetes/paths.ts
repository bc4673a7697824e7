/** Paths of resources on an API server. */
import { splitName, type Name } from "../resources/keys.ts";
import type { Kind } from "../resources/kinds.ts";

/** The part of a kind that its paths consist of. */
export type Resource = Pick<Kind, "group" | "versions" | "plural" | "namespaced">;

const root = (group: string, version: string): string =>
  group === "" ? `/api/${version}` : `/apis/${group}/${version}`;

/** All objects of a kind, or those of one namespace. */
export const collectionPath = ({ group, plural }: Kind, version: string, namespace?: string): string =>
  `${root(group, version)}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${plural}`;

/** One object, or a subresource of it. */
export const objectPath = (kind: Resource, version: string, name: Name, subresource?: "status"): string => {
  const { namespace, name: own } = splitName(name);
  const scope = kind.namespaced ? `/namespaces/${namespace}` : "";
  return `${root(kind.group, version)}${scope}/${kind.plural}/${own}${subresource === undefined ? "" : `/${subresource}`}`;
};
