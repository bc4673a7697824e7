/** The checks of an installation, in order: dependencies come first. */
import { calls } from "./calls.ts";
import type { Check, CheckId } from "./check.ts";
import { configs, dataplanes } from "./dataplanes.ts";
import type { Evidence } from "./evidence.ts";
import { gatewayClasses, gateways } from "./gateways.ts";
import { apiServer, crds, operator } from "./installation.ts";
import type { Problem } from "./problem.ts";
import { routes } from "./routes.ts";

export const checks: readonly Check[] = [
  apiServer,
  crds,
  operator,
  gatewayClasses,
  gateways,
  routes,
  dataplanes,
  configs,
  calls,
];

export interface Diagnosis {
  readonly check: CheckId;
  readonly title: string;
  readonly outcome: "ok" | "warning" | "failed" | "skipped";
  /** The findings; for a skipped check, the reason. */
  readonly says: string;
  readonly details: readonly string[];
  /** Errors first. */
  readonly problems: readonly Problem[];
}

const outcomeOf = (problems: readonly Problem[]): Diagnosis["outcome"] => {
  if (problems.some(({ severity }) => severity === "error")) return "failed";
  return problems.some(({ severity }) => severity === "warning") ? "warning" : "ok";
};

/** Every check once. A check that depends on a failed one is skipped, and names the failed one. */
export const diagnose = (evidence: Evidence): readonly Diagnosis[] => {
  const all: Diagnosis[] = [];
  /** The failed check because of which a check is skipped. */
  const blockedBy = new Map<CheckId, string>();
  for (const { id, title, needs, examine } of checks) {
    const blocker = needs.map((need) => blockedBy.get(need)).find((one) => one !== undefined);
    if (blocker !== undefined) {
      blockedBy.set(id, blocker);
      all.push({ check: id, title, outcome: "skipped", says: `${blocker} failed`, details: [], problems: [] });
      continue;
    }
    const examined = examine(evidence);
    if ("skipped" in examined) {
      all.push({ check: id, title, outcome: "skipped", says: examined.skipped, details: [], problems: [] });
      continue;
    }
    const { says, details = [] } = examined;
    const problems = examined.problems.toSorted(
      (a, b) => Number(b.severity === "error") - Number(a.severity === "error"),
    );
    const outcome = outcomeOf(problems);
    if (outcome === "failed") blockedBy.set(id, title);
    all.push({ check: id, title, outcome, says, details, problems });
  }
  return all;
};
