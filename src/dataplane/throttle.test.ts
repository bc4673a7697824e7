import { expect, it } from "vitest";
import { Throttle } from "./throttle.ts";

it("lets the same through once a second and fifty at most, and counts the rest", () => {
  const throttle = new Throttle();
  const told: number[] = [];
  const take = (key: string, now: number): void => {
    const suppressed = throttle.take(key, now);
    if (suppressed !== undefined) told.push(suppressed);
  };
  for (let count = 0; count < 10; count++) take("10.0.0.1", 1000 + count);
  expect(told).toEqual([0]);
  take("10.0.0.1", 2000);
  expect(told).toEqual([0, 9]);
  for (let count = 0; count < 200; count++) take(`10.0.1.${count}`, 3000);
  expect(told).toHaveLength(52);
  take("10.0.0.1", 4000);
  expect(told.at(-1)).toBe(150);
});
