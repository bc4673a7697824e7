/** A status without the fields that an API server rejects. */

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `status.FIELD` or `status.FIELD[INDEX]`, followed by anything. */
const PATH = /^status\.([A-Za-z]+)(?:\[([0-9]+)\])?/;

/**
 * List items are omitted one by one, other fields as a whole.
 * @param paths as in the causes of a rejection, `status.addresses[0].value`.
 * @returns undefined if none of them exists, or nothing would be left.
 */
export const withoutFields = (
  status: unknown,
  paths: readonly string[],
): Readonly<Record<string, unknown>> | undefined => {
  if (!isRecord(status)) return undefined;
  const refused = new Map<string, Set<number | "all">>();
  for (const path of paths) {
    const [, field = "", index] = PATH.exec(path) ?? [];
    if (status[field] === undefined) continue;
    const places = refused.get(field) ?? new Set();
    refused.set(field, places.add(index === undefined ? "all" : Number(index)));
  }
  if (refused.size === 0) return undefined;
  const rest = Object.entries(status).flatMap(([field, value]): readonly (readonly [string, unknown])[] => {
    const places = refused.get(field);
    if (places === undefined) return [[field, value]];
    if (places.has("all") || !Array.isArray(value)) return [];
    const kept: readonly unknown[] = value.filter((_, index) => !places.has(index));
    return kept.length === 0 ? [] : [[field, kept]];
  });
  return rest.length === 0 ? undefined : Object.fromEntries(rest);
};
