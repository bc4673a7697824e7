/** The fields that we applied before, as the API server records them (`metadata.managedFields`). */
import type { KubernetesObject, ObjectMeta } from "../resources/core.ts";
import { FIELD_MANAGER } from "../resources/names.ts";

/** A tree of fields: `f:NAME`, `k:{KEYS}` for an item of a list that is identified by its keys, `v:VALUE`, `.` for itself. */
interface Fields {
  readonly [step: string]: Fields;
}

interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly fieldsV1?: Fields;
}

/** An object from the API server. */
export type Stored = KubernetesObject & {
  readonly metadata: ObjectMeta & { readonly managedFields?: readonly ManagedFields[] };
};

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const ownFields = (object: Stored): readonly Fields[] =>
  (object.metadata.managedFields ?? [])
    .filter(
      ({ manager, operation, subresource }) =>
        manager === FIELD_MANAGER && operation === "Apply" && subresource === undefined,
    )
    .flatMap(({ fieldsV1 }) => fieldsV1 ?? []);

const ownedAt = (object: Stored, ...path: readonly string[]): readonly Fields[] =>
  ownFields(object).flatMap((fields) => {
    const found = path.reduce<Fields | undefined>((one, name) => one?.[`f:${name}`], fields);
    return found === undefined ? [] : [found];
  });

/** Keys of a map of `metadata` that we have applied. */
export const ownKeys = (object: Stored, map: "labels" | "annotations"): readonly string[] =>
  ownedAt(object, "metadata", map)
    .flatMap((fields) => Object.keys(fields))
    .filter((step) => step.startsWith("f:"))
    .map((step) => step.slice(2));

/** Whether we have applied the field at this path. */
export const isOwned = (object: Stored, ...path: readonly string[]): boolean => ownedAt(object, ...path).length > 0;

/**
 * Whether an autoscaler has set the number of replicas: it writes the subresource `scale`. So does `kubectl scale`, but a person
 * who scales a workload does not do it again when the number is changed back.
 */
export const isAutoscaled = ({ metadata }: Stored): boolean =>
  (metadata.managedFields ?? []).some(
    ({ manager = "", subresource, fieldsV1 }) =>
      subresource === "scale" && !manager.startsWith("kubectl") && fieldsV1?.["f:spec"]?.["f:replicas"] !== undefined,
  );

/**
 * Labels and annotations stay, as in STUNner, and the number of replicas is left to the person or autoscaler that scaled
 * the workload.
 */
const KEPT: ReadonlySet<string> = new Set([".f:metadata.f:labels", ".f:metadata.f:annotations", ".f:spec.f:replicas"]);

/** The item of a list that a `k:` step identifies: keys that the item leaves to defaults do not count. */
const itemAt = (value: unknown, keys: Json): unknown =>
  Array.isArray(value)
    ? value.find(
        (item) =>
          isObject(item) && Object.entries(keys).every(([key, is]) => item[key] === undefined || item[key] === is),
      )
    : undefined;

const childAt = (value: unknown, step: string): unknown => {
  const text = step.slice(2);
  if (step.startsWith("f:")) return isObject(value) ? value[text] : undefined;
  const told: unknown = JSON.parse(text);
  if (step.startsWith("k:")) return isObject(told) ? itemAt(value, told) : undefined;
  return Array.isArray(value) ? value.find((item) => item === told) : undefined;
};

const exceeds = (fields: Fields, wanted: unknown, path: string): boolean =>
  Object.entries(fields).some(([step, below]) => {
    if (step === "." || KEPT.has(`${path}.${step}`)) return false;
    const child = childAt(wanted, step);
    return child === undefined || exceeds(below, child, `${path}.${step}`);
  });

/**
 * Whether we have applied fields that we no longer want; an apply without them removes them, unless others want them too.
 */
export const ownsMore = (present: Stored, wanted: KubernetesObject): boolean =>
  ownFields(present).some((fields) => exceeds(fields, wanted, ""));
