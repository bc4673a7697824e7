/** Annotations with a value for each listener: a JSON object by listener name, with optional outer braces. */

export interface ByListener<T> {
  /** The valid entries. */
  readonly entries: ReadonlyMap<string, T>;
  /** The invalid entries, as JSON. */
  readonly invalid: ReadonlyMap<string, string>;
  /** The whole value is not a JSON object, and counts as absent. */
  readonly isMalformed: boolean;
}

/** Undefined if `text` is no JSON object; an absent or empty text is an empty one. */
export const objectByListener = (text: string | undefined): Readonly<Record<string, unknown>> | undefined => {
  const trimmed = text?.trim() ?? "";
  if (trimmed === "") return {};
  try {
    const value: unknown = JSON.parse(trimmed.startsWith("{") ? trimmed : `{${trimmed}}`);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
};

/**
 * Each entry is judged separately: a typo in one must not affect other listeners.
 * @param parse undefined for an invalid value.
 */
export const readByListener = <T>(
  text: string | undefined,
  parse: (value: unknown) => T | undefined,
): ByListener<T> => {
  const object = objectByListener(text);
  const entries = new Map<string, T>();
  const invalid = new Map<string, string>();
  for (const [listener, value] of Object.entries(object ?? {})) {
    const parsed = parse(value);
    if (parsed === undefined) invalid.set(listener, JSON.stringify(value));
    else entries.set(listener, parsed);
  }
  return { entries, invalid, isMalformed: object === undefined };
};
