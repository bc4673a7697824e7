/** JSON merge patch (RFC 7396). */
export const mergePatched = (value: unknown, patch: unknown): unknown => {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> =
    typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
  for (const [key, one] of Object.entries(patch)) {
    if (one === null) delete merged[key];
    else merged[key] = mergePatched(merged[key], one);
  }
  return merged;
};
