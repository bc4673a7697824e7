import { describe, expect, it } from "vitest";
import { deviations, isStale } from "./deviations.ts";
import { coreRenderer } from "./core-renderer.ts";
import { pureRenderer } from "./pure-renderer.ts";
import { scenarios } from "./scenario.ts";
import { describeScenarios } from "./suite.ts";

describeScenarios("rendering alone", pureRenderer);
describeScenarios("the event core", coreRenderer);

it("knows every recorded scenario", () => expect(scenarios).toHaveLength(63));

describe("deviations", () => {
  it.each(deviations)("$scenario, $stage, $path: differs from what was recorded", (deviation) => {
    const scenario = scenarios.find(({ name }) => name === deviation.scenario);
    const recorded = scenario?.stages.find(({ stage }) => stage === deviation.stage)?.expect;
    expect(recorded, "no such scenario or stage").toBeDefined();
    expect(isStale(recorded!, deviation)).toBe(false);
  });
});
