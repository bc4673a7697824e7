/**
 * Lines of older versions, turned into today's form as they are read, one version after the other.
 *
 * When the shape of a line changes in a way that older lines do not have: count `JOURNAL_VERSION` up, put a function here
 * that makes a line of the version before into one of the new, and keep a log of the version before among the fixtures in
 * `test/replay/fixtures`. Nothing else in the program knows that there ever was another form.
 */
import { JOURNAL_VERSION } from "./fact.ts";

/** A line as some release wrote it: of its envelope only this much is the same in all versions. */
export interface WrittenLine {
  readonly v: number;
  readonly seq: number;
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Makes a line of one version into a line of the next; `v` is counted up by whoever calls it. */
export type Upcaster = (line: WrittenLine) => WrittenLine;

/** How lines of one version become lines of another, by the version that an upcaster starts from. */
export interface Upcasters {
  /** The version that lines are to have. */
  readonly current: number;
  readonly from: ReadonlyMap<number, Upcaster>;
}

/** Version 1 is the first. */
export const upcasters: Upcasters = { current: JOURNAL_VERSION, from: new Map() };

/** Nothing where the version is newer than the current one, or no upcaster leads on from it. */
export const upcast = (line: WrittenLine, { current, from }: Upcasters): WrittenLine | undefined => {
  let form = line;
  while (form.v < current) {
    const step = from.get(form.v);
    if (step === undefined) return undefined;
    form = { ...step(form), v: form.v + 1 };
  }
  return form.v === current ? form : undefined;
};
