/**
 * Converts lines of older versions to the current form as they are read, one version at a time.
 *
 * When the format of a line changes in a way that older lines do not have: increment `JOURNAL_VERSION`, add a function here
 * that converts a line of the previous version to the new one, and keep a log of the previous version among the fixtures in
 * `test/replay/fixtures`. No other part of the program knows older formats.
 */
import { JOURNAL_VERSION } from "./fact.ts";

/** A line as some release wrote it: only this part of the envelope is the same in all versions. */
export interface WrittenLine {
  readonly v: number;
  readonly seq: number;
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Converts a line of one version to the next; the caller increments `v`. */
export type Upcaster = (line: WrittenLine) => WrittenLine;

/** Converters of lines, by the version from which an upcaster starts. */
export interface Upcasters {
  /** The target version. */
  readonly current: number;
  readonly from: ReadonlyMap<number, Upcaster>;
}

/** Version 1 is the first. */
export const upcasters: Upcasters = { current: JOURNAL_VERSION, from: new Map() };

/** Undefined if the version is newer than the current one, or no upcaster starts from it. */
export const upcast = (line: WrittenLine, { current, from }: Upcasters): WrittenLine | undefined => {
  let form = line;
  while (form.v < current) {
    const step = from.get(form.v);
    if (step === undefined) return undefined;
    form = { ...step(form), v: form.v + 1 };
  }
  return form.v === current ? form : undefined;
};
