/** Every recorded scenario, stage by stage, through rendering alone. `DIFF=1` prints what differs in full. */
import { isDeepStrictEqual } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { Cluster } from "./cluster.ts";
import { deviations, deviationsOf, expectedOf, isStale } from "./deviations.ts";
import { pureRenderer } from "./pure-renderer.ts";
import { observe, optionsOf, play, scenarios, type Observed, type Scenario } from "./scenario.ts";

const parts = ["configs", "status", "objects"] as const;

interface PlayedStage {
  readonly stage: string;
  readonly observed: Observed;
  readonly expected: Observed;
}

const playScenario = (scenario: Scenario): readonly PlayedStage[] => {
  const cluster = new Cluster();
  const renderer = pureRenderer(optionsOf(scenario));
  return scenario.stages.map(({ stage, do: operations, expect: recorded }) => {
    play(cluster, renderer, operations);
    return { stage, observed: observe(cluster), expected: expectedOf(recorded, deviationsOf(scenario.name, stage)) };
  });
};

describe("recorded scenarios", () => {
  const matching = new Map<string, number>();

  for (const scenario of scenarios) {
    const stages = playScenario(scenario);
    for (const part of parts) {
      if (stages.every(({ observed, expected }) => isDeepStrictEqual(observed[part], expected[part])))
        matching.set(part, (matching.get(part) ?? 0) + 1);
      for (const { stage, observed, expected } of stages)
        it(`${scenario.name}, ${stage}: ${part}`, () => expect(observed[part]).toEqual(expected[part]));
    }
  }

  it("are all there", () => expect(scenarios).toHaveLength(63));

  afterAll(() => {
    const counts = parts.map((part) => `${part} ${matching.get(part) ?? 0}`).join(", ");
    console.log(`of ${scenarios.length} scenarios match: ${counts}; ${deviations.length} deviations`);
  });
});

describe("deviations", () => {
  for (const deviation of deviations) {
    const { scenario, stage, path } = deviation;
    it(`${scenario}, ${stage}, ${path}: still differs from what was recorded`, () => {
      const recorded = scenarios
        .find(({ name }) => name === scenario)
        ?.stages.find((one) => one.stage === stage)?.expect;
      expect(recorded, "no such scenario or stage").toBeDefined();
      expect(isStale(recorded!, deviation)).toBe(false);
    });
  }
});
