/** Whether the live object already satisfies the desired one (subset match; extra fields are allowed). */

type Json = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Fields by which Kubernetes identifies the items of a list. */
const ITEM_KEYS = ["name", "type", "containerPort", "port"] as const;

/** The field that identifies `item` within its list, if any does. */
export const itemKey = (item: unknown): (typeof ITEM_KEYS)[number] | undefined =>
  isObject(item) ? ITEM_KEYS.find((name) => item[name] !== undefined) : undefined;

/**
 * @param present the state on the API server, including defaults.
 * @param exact names of lists that must contain nothing else.
 */
export const covers = (
  present: unknown,
  wanted: unknown,
  exact: ReadonlySet<string> = new Set(),
  field = "",
): boolean => {
  if (wanted === undefined) return true;
  if (Array.isArray(wanted)) {
    if (!Array.isArray(present)) return wanted.length === 0 && present === undefined;
    if (wanted.length === 0) return present.length === 0;
    if (exact.has(field) && present.length !== wanted.length) return false;
    // Only their position identifies these: plain values, and expressions of a selector.
    if (!wanted.every((item) => itemKey(item) !== undefined))
      return present.length === wanted.length && wanted.every((item, index) => covers(present[index], item, exact));
    return wanted.every((item: unknown) => {
      const key = itemKey(item);
      const match: unknown = present.find(
        (other) => key !== undefined && isObject(other) && other[key] === (item as Json)[key],
      );
      return match !== undefined && covers(match, item, exact);
    });
  }
  if (isObject(wanted))
    return isObject(present)
      ? Object.entries(wanted).every(([key, value]) => covers(present[key], value, exact, key))
      : Object.keys(wanted).length === 0 && present === undefined;
  // Kubernetes omits false and empty values.
  return wanted === present || (present === undefined && (wanted === false || wanted === ""));
};
