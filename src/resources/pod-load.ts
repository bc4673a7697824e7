/** How busy a pod of a dataplane is, in the form of an object with the pod's name. */
import type { KubernetesObject } from "./core.ts";

export interface PodLoad extends KubernetesObject {
  readonly apiVersion: "turnpike/v1";
  readonly kind: "PodLoad";
  readonly spec: {
    /** `NAMESPACE/NAME`. */
    readonly gateway: string;
    /** When it was last recorded; smaller changes are not (`render/deletion-cost.ts`). */
    readonly allocations: number;
  };
}
