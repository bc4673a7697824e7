/**
 * Lists that must contain only what we want, but contain more. Server-side apply removes only what it once added, and
 * rejects conflicts with another owner's item: such lists are replaced.
 */
import { covers, itemKey, isObject } from "./covers.ts";

/** An operation of a JSON patch (RFC 6902). */
export interface Replacement {
  readonly op: "replace";
  readonly path: string;
  readonly value: readonly unknown[];
}

const matching = (present: readonly unknown[], item: unknown): Readonly<Record<string, unknown>> => {
  const key = itemKey(item);
  const match = present.find((one) => key !== undefined && isObject(one) && isObject(item) && one[key] === item[key]);
  return isObject(match) ? match : {};
};

const escape = (key: string): string => key.replaceAll("~", "~0").replaceAll("/", "~1");

/**
 * @param present the state on the API server.
 * @param exact names of lists that must contain nothing else.
 */
export const replacementsOf = (
  present: unknown,
  wanted: unknown,
  exact: ReadonlySet<string>,
  path = "",
): readonly Replacement[] => {
  if (Array.isArray(wanted) && Array.isArray(present)) {
    const field = path.slice(path.lastIndexOf("/") + 1);
    if (exact.has(field) && wanted.length > 0) {
      if (covers(present, wanted, exact, field)) return [];
      const value = wanted.map((item: unknown) => {
        // Assigned by the API server: it would assign another.
        const { nodePort } = matching(present, item);
        return { ...(nodePort === undefined ? {} : { nodePort }), ...(item as object) };
      });
      return [{ op: "replace", path, value }];
    }
    return wanted.flatMap((item: unknown) => {
      const at = present.indexOf(matching(present, item));
      return at < 0 ? [] : replacementsOf(present[at], item, exact, `${path}/${at}`);
    });
  }
  if (!isObject(wanted) || !isObject(present)) return [];
  return Object.entries(wanted).flatMap(([key, value]) =>
    replacementsOf(present[key], value, exact, `${path}/${escape(key)}`),
  );
};
