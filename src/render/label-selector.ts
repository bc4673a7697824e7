/** Kubernetes label selectors. */
import type { LabelSelector } from "../resources/gateway-api.ts";

type Requirement = NonNullable<LabelSelector["matchExpressions"]>[number];

const holds = (requirement: Requirement, labels: Readonly<Record<string, string>>): boolean => {
  const value = labels[requirement.key];
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return values.length > 0 && (value === undefined || !values.includes(value));
    case "Exists":
      return values.length === 0 && value !== undefined;
    case "DoesNotExist":
      return values.length === 0 && value === undefined;
    default:
      return false;
  }
};

/** An empty selector matches everything; an invalid requirement matches nothing. */
export const selectorMatches = (selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
  (selector.matchExpressions ?? []).every((requirement) => holds(requirement, labels));
