/** Where Turnpike deliberately does better than the operator that the scenarios were recorded from. */
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { Observed } from "./scenario.ts";

export interface Deviation {
  readonly scenario: string;
  readonly stage: string;
  /** JSON pointer (RFC 6901) into the stage's expectation. */
  readonly path: string;
  /** What Turnpike has there; absent: nothing. */
  readonly ours?: unknown;
  readonly reason: string;
}

const file = new URL("./deviations.json", import.meta.url);

export const deviations: readonly Deviation[] = JSON.parse(readFileSync(file, "utf8"));

const keysOf = (pointer: string): readonly string[] =>
  pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));

export const valueAt = (value: unknown, pointer: string): unknown =>
  keysOf(pointer).reduce<unknown>((one, key) => (one as Record<string, unknown> | undefined)?.[key], value);

const withValueAt = (value: unknown, keys: readonly string[], replacement: unknown): unknown => {
  const [key, ...rest] = keys;
  if (key === undefined) return replacement;
  const copy: Record<string, unknown> = Array.isArray(value)
    ? ([...value] as unknown as Record<string, unknown>)
    : { ...(value as Record<string, unknown>) };
  const changed = withValueAt(copy[key], rest, replacement);
  if (changed === undefined) delete copy[key];
  else copy[key] = changed;
  return copy;
};

export const deviationsOf = (scenario: string, stage: string): readonly Deviation[] =>
  deviations.filter((one) => one.scenario === scenario && one.stage === stage);

/** The recorded expectation with Turnpike's own in their places. */
export const expectedOf = (recorded: Observed, applicable: readonly Deviation[]): Observed =>
  applicable.reduce((expected, { path, ours }) => withValueAt(expected, keysOf(path), ours) as Observed, recorded);

/** Not a deviation: the recorded value is what Turnpike has. */
export const isStale = (recorded: Observed, { path, ours }: Deviation): boolean =>
  isDeepStrictEqual(valueAt(recorded, path), ours);
