/** The differences between two moments. */
import type { Moment } from "../../history/moment.ts";
import type { MachineId } from "../../journal/fact.ts";
import { keyOf, type ObjectKey } from "../../resources/keys.ts";
import { allKinds } from "../../resources/kinds.ts";

export interface InstanceDifference {
  readonly machine: MachineId;
  readonly entity: string;
  /** Undefined: it did not exist. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

export interface ObjectDifference {
  readonly key: ObjectKey;
  readonly change: "appeared" | "gone" | "changed";
}

export interface OutputDifference {
  readonly output: string;
  /** Parts that differ; empty if the whole output was added or removed. */
  readonly parts: readonly string[];
}

export interface Difference {
  readonly instances: readonly InstanceDifference[];
  readonly objects: readonly ObjectDifference[];
  readonly outputs: readonly OutputDifference[];
}

const MACHINES: readonly MachineId[] = ["operator", "gateway", "listener", "route", "endpoint", "user"];

const instanceDifferences = (before: Moment, after: Moment): readonly InstanceDifference[] =>
  MACHINES.flatMap((machine) => {
    const [old, now] = [new Map(before.entities(machine)), new Map(after.entities(machine))];
    return [...new Set([...old.keys(), ...now.keys()])].flatMap((entity) =>
      old.get(entity) === now.get(entity) ? [] : [{ machine, entity, before: old.get(entity), after: now.get(entity) }],
    );
  });

const objectDifferences = (before: Moment, after: Moment): readonly ObjectDifference[] =>
  allKinds.flatMap(({ id: kind }) =>
    [...new Set([...before.names(kind), ...after.names(kind)])].flatMap((name): readonly ObjectDifference[] => {
      const [old, now] = [before.view.get(kind, name), after.view.get(kind, name)];
      if (old === now) return [];
      const change = old === undefined ? "appeared" : now === undefined ? "gone" : "changed";
      return [{ key: keyOf(kind, name), change }];
    }),
  );

const outputsOf = (gateway: string): readonly string[] => [
  `config ${gateway}`,
  `objects ${gateway}`,
  `status Gateway/${gateway}`,
];

const outputDifferences = (before: Moment, after: Moment): readonly OutputDifference[] => {
  const gateways = new Set([...before.entities("gateway"), ...after.entities("gateway")].map(([name]) => name));
  return [...gateways].flatMap(outputsOf).flatMap((output) => {
    const [old, now] = [before.output(output)?.data.parts, after.output(output)?.data.parts];
    if (old === now) return [];
    if (!old || !now) return [{ output, parts: [] }];
    const parts = [...new Set([...Object.keys(old), ...Object.keys(now)])].filter((part) => old[part] !== now[part]);
    return parts.length === 0 ? [] : [{ output, parts }];
  });
};

export const differenceOf = (before: Moment, after: Moment): Difference => ({
  instances: instanceDifferences(before, after),
  objects: objectDifferences(before, after),
  outputs: outputDifferences(before, after),
});
