/** Which objects are ours: those with our label, whichever process made them. */
import type { KubernetesObject } from "./core.ts";
import { OWNED_BY_LABEL, OWNED_BY_VALUE } from "./names.ts";

export const isOurs = (object: KubernetesObject): boolean =>
  object.metadata.labels?.[OWNED_BY_LABEL] === OWNED_BY_VALUE;

/** An object of another owner with a name of ours: neither changed nor removed. */
export const isForeign = (object: KubernetesObject | undefined): boolean => object !== undefined && !isOurs(object);
