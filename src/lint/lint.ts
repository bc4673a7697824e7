/** Finds what would not work, or not as intended, by the rules that render everything. */
import { lintClasses } from "./classes.ts";
import type { Finding, Severity } from "./finding.ts";
import { lintGateways } from "./gateways.ts";
import { lintRoutes } from "./routes.ts";
import type { LintWorld } from "./world.ts";

const order: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 };

/** Errors first; findings of two routes about the same object are reported once. */
export const lint = (world: LintWorld): readonly Finding[] => {
  const found = [...lintClasses(world), ...lintGateways(world), ...lintRoutes(world)];
  return [...new Map(found.map((one) => [`${one.code} ${one.object} ${one.says}`, one] as const)).values()].toSorted(
    (a, b) => order[a.severity] - order[b.severity],
  );
};
