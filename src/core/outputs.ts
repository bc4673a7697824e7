/** The last outputs of rendering, by name. Digests of the parts distinguish a change from a repetition. */
import type { Derivation } from "../journal/fact.ts";
import { stampTransitionTimes } from "./transition-times.ts";
import { splitOutput, type OutputId, type OutputKind } from "./output-id.ts";

export interface Outputs {
  /**
   * `stored`: a status as the API server has it, perhaps from an earlier run; its transition times are kept for unchanged
   * conditions. `isShown`: the derivation includes the value itself. Stores `value` (or, with `undefined`, removes it)
   * under `id`; appends a derivation and returns true if it changed.
   */
  put(
    output: { readonly id: OutputId; readonly value: unknown; readonly stored?: unknown; readonly isShown?: boolean },
    time: number,
    derived: Derivation[],
  ): boolean;
  /** The value, its conditions with the time of their last transition. */
  get(id: OutputId): unknown;
  /** The values of all outputs of a kind, and the parts that the next ones are compared with. */
  export(what: OutputKind): readonly Kept[];
  /** Restores an export; call it before the first `put`. */
  restore(kept: readonly Kept[]): void;
}

type Parts = Readonly<Record<string, string>>;
type Kept = readonly [id: string, value: unknown, parts: Parts];

const isNamed = (value: unknown): value is { readonly name: string } =>
  typeof value === "object" && value !== null && "name" in value && typeof value.name === "string";

/** `admin`, `auth`, `listeners[NAME]`, …: the pieces of a document that a reader would name. */
export const partsOf = (value: unknown, digest: (text: string) => string): Parts => {
  const parts: Record<string, string> = {};
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { value: digest(JSON.stringify(value)) };
  for (const [key, part] of Object.entries(value)) {
    if (part === undefined) continue;
    if (Array.isArray(part) && part.length > 0 && part.every(isNamed)) {
      parts[key] = digest(JSON.stringify(part.map(({ name }) => name)));
      for (const item of part) parts[`${key}[${item.name}]`] = digest(JSON.stringify(item));
    } else {
      parts[key] = digest(JSON.stringify(part));
    }
  }
  return parts;
};

const sameParts = (a: Parts, b: Parts): boolean => {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
};

export const createOutputs = (digest: (text: string) => string): Outputs => {
  const parts = new Map<string, Parts>();
  const values = new Map<string, unknown>();

  return {
    put({ id, value, stored, isShown = false }, time, derived) {
      const before = parts.get(id);
      if (value === undefined) {
        if (before === undefined) return false;
        parts.delete(id);
        values.delete(id);
        derived.push({ type: "rendered", data: { output: id, parts: null } });
        return true;
      }
      const now = partsOf(value, digest);
      if (before !== undefined && sameParts(before, now)) return false;
      parts.set(id, now);
      values.set(
        id,
        splitOutput(id).what === "status" ? stampTransitionTimes(values.get(id) ?? stored, value, time) : value,
      );
      derived.push({ type: "rendered", data: { output: id, parts: now, ...(isShown ? { value } : {}) } });
      return true;
    },
    get: (id) => values.get(id),
    export: (what) =>
      [...values].flatMap(([id, value]): readonly Kept[] =>
        splitOutput(id).what === what ? [[id, value, parts.get(id) ?? {}]] : [],
      ),
    restore(kept) {
      for (const [id, value, before] of kept) {
        values.set(id, value);
        parts.set(id, before);
      }
    },
  };
};
