/** Finds what would not work, or not as it was meant, by the rules that everything is rendered with. */
import { lintClasses } from "./classes.ts";
import type { Finding, Severity } from "./finding.ts";
import { lintGateways } from "./gateways.ts";
import { lintRoutes } from "./routes.ts";
import type { LintWorld } from "./world.ts";

const order: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 };

/** Errors first; what two routes say of the same object is said once. */
export const lint = (world: LintWorld): readonly Finding[] => {
  const found = [...lintClasses(world), ...lintGateways(world), ...lintRoutes(world)];
  return [...new Map(found.map((one) => [`${one.code} ${one.object} ${one.says}`, one] as const)).values()].toSorted(
    (a, b) => order[a.severity] - order[b.severity],
  );
};
