import { describe, expect, it } from "vitest";
import { selectorMatches } from "./label-selector.ts";

const labels = { team: "rtc", tier: "edge" };

describe("a label selector", () => {
  it("matches everything if empty", () => expect(selectorMatches({}, labels)).toBe(true));

  it("needs every label", () => {
    expect(selectorMatches({ matchLabels: { team: "rtc", tier: "edge" } }, labels)).toBe(true);
    expect(selectorMatches({ matchLabels: { team: "rtc", tier: "core" } }, labels)).toBe(false);
  });

  it.each([
    ["In", ["rtc"], true],
    ["In", ["web"], false],
    ["NotIn", ["web"], true],
    ["NotIn", ["rtc"], false],
    ["Exists", [], true],
    ["DoesNotExist", [], false],
    ["NotIn", [], false],
    ["Exists", ["rtc"], false],
    ["Near", ["rtc"], false],
  ])("with %s %j of a label is %s", (operator, values, expected) =>
    expect(selectorMatches({ matchExpressions: [{ key: "team", operator, values }] }, labels)).toBe(expected),
  );

  it("takes an absent label as not in anything", () => {
    expect(selectorMatches({ matchExpressions: [{ key: "x", operator: "NotIn", values: ["a"] }] }, labels)).toBe(true);
    expect(selectorMatches({ matchExpressions: [{ key: "x", operator: "DoesNotExist" }] }, labels)).toBe(true);
  });
});
