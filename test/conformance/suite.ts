/** Every recorded scenario, stage by stage, through a renderer. */
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RenderOptions } from "../../src/resources/view.ts";
import { Cluster, type Renderer } from "./cluster.ts";
import { deviationsOf, expectedOf } from "./deviations.ts";
import { observe, optionsOf, play, scenarios, type Observed } from "./scenario.ts";

const parts = ["configs", "status", "objects"] as const;

/** Recorded as it is, or only with our deviations. */
type Match = "recorded" | "deviating";

export const describeScenarios = (title: string, rendererOf: (options: RenderOptions) => Renderer): void => {
  describe(title, () => {
    const matches = new Map<string, readonly Match[]>();

    for (const scenario of scenarios)
      describe(scenario.name, () => {
        const observed = new Map<string, Observed>();

        beforeAll(async () => {
          const cluster = new Cluster();
          const renderer = rendererOf(optionsOf(scenario));
          for (const { stage, do: operations } of scenario.stages) {
            await play(cluster, renderer, operations);
            observed.set(stage, observe(cluster));
          }
        });

        for (const part of parts)
          it(part, () => {
            for (const { stage, expect: recorded } of scenario.stages) {
              const expected = expectedOf(recorded, deviationsOf(scenario.name, stage));
              expect(observed.get(stage)?.[part], stage).toEqual(expected[part]);
            }
            const isAsRecorded = scenario.stages.every(({ stage, expect: recorded }) =>
              isDeepStrictEqual(observed.get(stage)?.[part], recorded[part]),
            );
            matches.set(part, [...(matches.get(part) ?? []), isAsRecorded ? "recorded" : "deviating"]);
          });
      });

    afterAll(() => {
      const counts = parts.map((part) => {
        const found = matches.get(part) ?? [];
        return `${part} ${found.length} (${found.filter((match) => match === "deviating").length} deviating)`;
      });
      console.log(`${title}, ${scenarios.length} scenarios, match: ${counts.join(", ")}`);
    });
  });
};
