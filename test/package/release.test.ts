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
  const changelog =
    "# Changelog\n\n## [1.1.0] - unreleased\n\n### Added\n\n- new\n\n## [1.0.0] - 2026-01-01\n\n### Fixed\n\n- old\n";
  expect(notesOf(changelog, "1.1.0")).toBe("### Added\n\n- new\n");
  expect(notesOf(changelog, "1.0.0")).toBe("### Fixed\n\n- old\n");
  expect(() => notesOf(changelog, "1.2.0")).toThrow("no section");
  const { version } = JSON.parse(read("package.json")) as { readonly version: string };
  expect(notesOf(read("CHANGELOG.md"), version)).toContain("TURN relay");
});

it("has a changelog in the format of Keep a Changelog", () => {
  const headings = (level: number): readonly string[] =>
    [...read("CHANGELOG.md").matchAll(new RegExp(`^#{${level}} (.*)$`, "gm"))].map(([, heading = ""]) => heading);
  for (const heading of headings(2)) expect(heading).toMatch(/^\[\d+\.\d+\.\d+\] - (?:unreleased|\d{4}-\d\d-\d\d)$/);
  for (const heading of headings(3))
    expect(["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]).toContain(heading);
});
