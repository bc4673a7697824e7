/** The page of conditions and Events has every reason that the operator gives, and no other. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readPage, root } from "../../scripts/site/pages.ts";

const source = (path: string): string => readFileSync(join(root, "src", path), "utf8");
const documented = new Set(
  [...readPage("docs/reference/conditions.md").matchAll(/^\|.*?`([A-Z][A-Za-z]+)` \| (?!True|False|Unknown)/gm)].map(
    ([, reason]) => reason,
  ),
);

/** Of conditions in the code: their types and statuses, and what is no reason. */
const OTHERS = ["True", "False", "Unknown", "Conflicted", "Gateway", "UDPRoute", "Secret", "Terminate"];
const REASONS = ["gateway-status", "route-status", "gateway-class-status", "certificate", "listeners"].flatMap((name) =>
  [...source(`render/${name}.ts`).matchAll(/"([A-Z][A-Za-z]+)"/g)].map(([, word]) => word),
);
const EVENTS = [...source("effects/events.ts").matchAll(/"Warning",\s*"([A-Z][A-Za-z]+)"/g)].map(([, word]) => word);

it("is complete", () => {
  const given = new Set([...REASONS, ...EVENTS].filter((word) => !OTHERS.includes(word ?? "")));
  expect(EVENTS).toHaveLength(4);
  expect([...documented].toSorted()).toEqual([...given].toSorted());
});
