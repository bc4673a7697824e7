/** Which objects are ours: those that bear our label, whoever of us made them. */
import type { KubernetesObject } from "./core.ts";
import { OWNED_BY_LABEL, OWNED_BY_VALUE } from "./names.ts";

export const isOurs = (object: KubernetesObject): boolean =>
  object.metadata.labels?.[OWNED_BY_LABEL] === OWNED_BY_VALUE;

/** An object that someone else made under a name of ours: neither changed nor removed. */
export const isForeign = (object: KubernetesObject | undefined): boolean => object !== undefined && !isOurs(object);
