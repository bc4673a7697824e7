/**
 * The shape of every line of the log, beside what it was when this version of the log began. A shape that changes without
 * a new version makes logs unreadable that people have.
 */
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { JOURNAL_VERSION } from "../../src/journal/fact.ts";
import { shapesOfToday } from "./shape-of.ts";

const file = (version: number): URL => new URL(`shapes/v${version}.json`, import.meta.url);
const WHAT_TO_DO =
  "the shape of a line differs from test/replay/shapes: what is new, or optional and added, is written down there; " +
  "for all else count JOURNAL_VERSION up, write an upcaster (src/journal/upcast.ts), keep a log of the version before " +
  "in test/replay/fixtures, and write the shapes of the new version beside the old ones";

it("writes lines of the shape that this version has", () => {
  expect(existsSync(file(JOURNAL_VERSION)), WHAT_TO_DO).toBe(true);
  expect(shapesOfToday(), WHAT_TO_DO).toEqual(JSON.parse(readFileSync(file(JOURNAL_VERSION), "utf8")));
});

it("knows the shape of every line", () => {
  const shapes = shapesOfToday();
  expect(Object.keys(shapes).length).toBeGreaterThan(35);
  expect(shapes["object.gone"]).toBe('{type:"object.gone";data:{kind:KindId;name:Name}}');
  expect(shapes["listener.closed"]).toBe(shapes["listener.bound"]);
  expect(Object.values(shapes).filter((shape) => !/^\{.*\}$/.test(shape))).toEqual([]);
});
