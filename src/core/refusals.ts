/**
 * Writes that Kubernetes rejects, by object: a node port that is taken, a quota, a missing role. Transient failures (no
 * network, a busy server, a conflict) are not included.
 */
import type { FactLine } from "../journal/fact.ts";
import { splitKey, type Name, type ObjectKey } from "../resources/keys.ts";

export interface Refusals {
  /** Records a fact. Returns the object, as `KIND NAME`, if its state changed. */
  take(fact: FactLine): string | undefined;
  /** The message of Kubernetes. */
  of(kind: string, name: Name): string | undefined;
  export(): readonly (readonly [object: string, reason: string])[];
}

/** Unauthorized, timeout, conflict, too many requests. */
const PASSING: ReadonlySet<number> = new Set([401, 408, 409, 429]);
const MAX_REASON = 1000;

const isRefusal = (status = 0): boolean => status >= 400 && status < 500 && !PASSING.has(status);

/** `KIND NAME`. */
export const refusedObject = (kind: string, name: Name): string => `${kind} ${name}`;

/** The parts of what `take` returns. */
export const splitRefused = (object: string): { readonly kind: string; readonly name: Name } => {
  const space = object.indexOf(" ");
  return { kind: object.slice(0, space), name: object.slice(space + 1) as Name };
};

export const createRefusals = (restored: readonly (readonly [string, string])[] = []): Refusals => {
  const reasons = new Map(restored);

  const put = (object: string, reason: string | undefined): string | undefined => {
    if (reasons.get(object) === reason) return undefined;
    if (reason === undefined) reasons.delete(object);
    else reasons.set(object, reason);
    return object;
  };

  return {
    take(fact) {
      // A failure for another reason does not mean that the rejection is over.
      if (fact.type === "effect.failed")
        return fact.data.effect === "write" && !fact.data.target.startsWith("status ") && isRefusal(fact.data.status)
          ? put(fact.data.target, fact.data.reason.slice(0, MAX_REASON))
          : undefined;
      if (fact.type === "object.written") {
        const { kind, name } = splitKey(fact.data.object as ObjectKey);
        return put(refusedObject(kind, name), undefined);
      }
      return undefined;
    },
    of: (kind, name) => reasons.get(refusedObject(kind, name)),
    export: () => [...reasons],
  };
};
