/** Dataplanes that Kubernetes would end at once: a Turnpike without calls takes some 75 MB. */
import type { Dataplane } from "../resources/stunner.ts";
import { finding, type Finding } from "./finding.ts";

const LEAST_MEMORY = 128e6;
const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};
/** STUNner's needs less. */
const ANOTHER_PROGRAM = /(^|\/)stunnerd(:|@|$)/;

const memoryLimitOf = (resources: unknown): string | undefined => {
  const { limits } = (resources ?? {}) as { readonly limits?: { readonly memory?: string | number } };
  return limits?.memory?.toString();
};

/** @param object that the finding is about. */
export const lintDataplane = (object: string, { spec }: Dataplane): readonly Finding[] => {
  if (!spec?.image || ANOTHER_PROGRAM.test(spec.image)) return [];
  if (spec.resources === undefined)
    return [finding("dataplane-memory", object, "it has no `resources`: limits.memory is 20M then")];
  const limit = memoryLimitOf(spec.resources);
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(limit ?? "") ?? [];
  return Number(number) * (UNITS[unit] ?? Number.NaN) < LEAST_MEMORY && limit !== undefined
    ? [finding("dataplane-memory", object, `limits.memory is ${limit}`)]
    : [];
};
