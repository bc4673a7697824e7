/** Compares the results of two histories. Values that differ in every run, such as digests of secrets, do not count. */
import type { FactLine, JournalLine, Derivation } from "../journal/fact.ts";
import { keyOf, nameOfObject, type Name } from "../resources/keys.ts";
import type { Core } from "./core.ts";
import { partsOf } from "./outputs.ts";
import { statesOf } from "./states.ts";

/** Something that differs between the two; `undefined` if one does not have it. */
export interface Difference {
  /** `gateway ns/a`, `config ns/a`, `status Gateway/ns/a`, `object Service/ns/a`. */
  readonly what: string;
  readonly a: string | undefined;
  readonly b: string | undefined;
}

/** Reported by the API server or the clock. */
const OF_THE_RUN: ReadonlySet<string> = new Set(["uid", "creationTimestamp", "lastTransitionTime", "resourceVersion"]);

/** A text that is equal for equal meaning: secrets have another digest in every run. */
export const meaning = (value: unknown): string =>
  JSON.stringify(value, (key, part: unknown) =>
    OF_THE_RUN.has(key) ? undefined : typeof part === "string" && part.startsWith("vault:") ? "vault:" : part,
  ) ?? "";

/** The event that a line describes, if it describes one: not where folds were, nor which digests a rendering has. */
export const happened = (line: JournalLine): string | undefined => {
  switch (line.type) {
    case "fold":
    case "rendered":
    case "snapshot":
      return undefined;
    case "operator.started":
      return meaning([line.type, line.data.options]);
    default:
      return meaning([line.type, (line satisfies FactLine | Derivation).data]);
  }
};

/** The parts that differ, by name. */
const differingParts = (a: unknown, b: unknown): readonly [string | undefined, string | undefined] => {
  if (a === undefined) return [undefined, "there"];
  if (b === undefined) return ["there", undefined];
  const [before, after] = [partsOf(a, (text) => text), partsOf(b, (text) => text)];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (part) => before[part] !== after[part],
  );
  const show = (parts: Readonly<Record<string, string>>): string =>
    names.map((part) => `${part}=${parts[part] ?? "(absent)"}`).join(" ");
  return [show(before), show(after)];
};

const plain = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(meaning(value)));

const things = (core: Core | undefined): ReadonlyMap<string, unknown> => {
  const found = new Map<string, unknown>();
  if (core === undefined) return found;
  for (const [machine, entities] of Object.entries(statesOf(core)))
    for (const [entity, state] of Object.entries(entities)) found.set(`${machine} ${entity}`, state);
  for (const gateway of core.registry.entities("gateway").keys()) {
    const config = core.rendered(gateway as Name)?.config;
    if (config !== undefined) found.set(`config ${gateway}`, plain(config));
  }
  const { objects, statuses } = core.export();
  for (const [id, status] of statuses) found.set(id, plain(status));
  for (const [kind, object] of objects) found.set(`object ${keyOf(kind, nameOfObject(kind, object))}`, plain(object));
  return found;
};

/** In the order of their names: states of machines, configs, statuses, objects. */
export const differencesBetween = (a: Core | undefined, b: Core | undefined): readonly Difference[] => {
  const [before, after] = [things(a), things(b)];
  return [...new Set([...before.keys(), ...after.keys()])].toSorted().flatMap((what): readonly Difference[] => {
    const [one, other] = [before.get(what), after.get(what)];
    if (JSON.stringify(one) === JSON.stringify(other)) return [];
    if (typeof (one ?? other) === "string") return [{ what, a: one as string, b: other as string }];
    const [left, right] = differingParts(one, other);
    return [{ what, a: left, b: right }];
  });
};
