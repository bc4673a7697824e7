/** What a release is named, and what its notes say. `npm run release -- --dry-run` makes and verifies the artefacts. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { notesOf, versionOf } from "../../scripts/release.ts";

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");

it("has one version, in the package and in the chart", () => {
  const version = versionOf(read("package.json"), read("deploy/helm/turnpike/Chart.yaml"));
  expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(() => versionOf('{ "version": "9.9.9" }', read("deploy/helm/turnpike/Chart.yaml"))).toThrow("9.9.9");
});

it("has the notes of its section of the changelog, and no others", () => {
  const changelog = "# Changelog\n\n## 1.1.0 (unreleased)\n\n- new\n\n## 1.0.0 (2026-01-01)\n\n- old\n";
  expect(notesOf(changelog, "1.1.0")).toBe("- new\n");
  expect(notesOf(changelog, "1.0.0")).toBe("- old\n");
  expect(() => notesOf(changelog, "1.2.0")).toThrow("no section");
  const { version } = JSON.parse(read("package.json")) as { readonly version: string };
  expect(notesOf(read("CHANGELOG.md"), version)).toContain("TURN relay");
});
