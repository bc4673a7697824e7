/** The objects as last observed, indexed by their references. Rendering reads them through `ObjectsView`. */
import type { AnyObject, KindId, KindMap } from "../resources/kinds.ts";
import { keyOf, splitKey, type Name, type ObjectKey } from "../resources/keys.ts";
import { referencesOf, type Reference } from "./references.ts";
import { compareText } from "../order.ts";

export interface Objects {
  get<K extends KindId>(kind: K, name: Name): KindMap[K] | undefined;
  /** Replaces or, with `undefined`, removes an object. Returns the previous one. */
  put(kind: KindId, name: Name, object: AnyObject | undefined): AnyObject | undefined;
  /** Sorted by name. */
  list<K extends KindId>(kind: K): readonly KindMap[K][];
  names(kind: KindId): readonly Name[];
  /** Keys of the objects that hold `reference`, sorted. */
  referrers(reference: Reference): readonly ObjectKey[];
  readonly size: number;
}

export const createObjects = (): Objects => {
  const kinds = new Map<KindId, Map<Name, AnyObject>>();
  const referrers = new Map<Reference, Set<ObjectKey>>();
  const sortedNames = new Map<KindId, readonly Name[]>();
  const sortedReferrers = new Map<Reference, readonly ObjectKey[]>();
  let size = 0;

  const ofKind = (kind: KindId): Map<Name, AnyObject> => {
    let objects = kinds.get(kind);
    if (objects === undefined) kinds.set(kind, (objects = new Map()));
    return objects;
  };

  const link = (key: ObjectKey, reference: Reference): void => {
    const set = referrers.get(reference);
    if (set === undefined) referrers.set(reference, new Set([key]));
    else set.add(key);
    sortedReferrers.delete(reference);
  };

  const unlink = (key: ObjectKey, reference: Reference): void => {
    const set = referrers.get(reference);
    set?.delete(key);
    if (set?.size === 0) referrers.delete(reference);
    sortedReferrers.delete(reference);
  };

  const names = (kind: KindId): readonly Name[] => {
    let sorted = sortedNames.get(kind);
    if (sorted === undefined) sortedNames.set(kind, (sorted = [...ofKind(kind).keys()].toSorted(compareText)));
    return sorted;
  };

  const get = <K extends KindId>(kind: K, name: Name): KindMap[K] | undefined =>
    kinds.get(kind)?.get(name) as KindMap[K] | undefined;

  return {
    get,
    put(kind, name, object) {
      const objects = ofKind(kind);
      const before = objects.get(name);
      const key = keyOf(kind, name);
      if (before !== undefined) for (const reference of referencesOf(kind, before)) unlink(key, reference);
      if (object === undefined) objects.delete(name);
      else {
        objects.set(name, object);
        for (const reference of referencesOf(kind, object)) link(key, reference);
      }
      if ((before === undefined) !== (object === undefined)) {
        sortedNames.delete(kind);
        size += object === undefined ? -1 : 1;
      }
      return before;
    },
    list: (kind) => names(kind).flatMap((name) => get(kind, name) ?? []),
    names,
    referrers(reference) {
      const cached = sortedReferrers.get(reference);
      if (cached !== undefined) return cached;
      const sorted = [...(referrers.get(reference) ?? [])].toSorted(compareText);
      sortedReferrers.set(reference, sorted);
      return sorted;
    },
    get size() {
      return size;
    },
  };
};

/** The names of `keys` that are of `kind`. */
export const namesOfKind = (keys: readonly ObjectKey[], kind: KindId): readonly Name[] =>
  keys.flatMap((key) => {
    const split = splitKey(key);
    return split.kind === kind ? [split.name] : [];
  });
