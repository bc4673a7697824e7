import { expect, it } from "vitest";
import { isOneOf, labelOf, nearest, numbersOf, threadOf } from "./numbers.ts";

it.each([1, 2, 3, 7])("numbers say which of %i threads gave them", (count) => {
  const threads = Array.from({ length: count }, (_, index) => index);
  const labels = threads.map((index) => labelOf(numbersOf(index, count)));
  expect(labels.toSorted()).toEqual(threads);
  for (const index of threads)
    for (let any = 100; any < 120; any++) {
      const number = nearest(numbersOf(index, count), any);
      expect(threadOf(number, count)).toBe(index);
      expect(threads.filter((other) => isOneOf(numbersOf(other, count), number))).toEqual([index]);
    }
});
