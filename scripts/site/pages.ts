/** The pages of the documentation, by their path in the repository. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export const readPage = (path: string): string => readFileSync(join(root, path), "utf8");

const OUTSIDE = [
  "README.md",
  "CHANGELOG.md",
  "CODE_OF_CONDUCT.md",
  "CONTRIBUTING.md",
  "GOVERNANCE.md",
  "SECURITY.md",
  "deploy/helm/turnpike/README.md",
];

export const INDEX = "docs/README.md";

export const pages: readonly string[] = [
  ...OUTSIDE,
  ...readdirSync(join(root, "docs"), { recursive: true })
    .map((name) => `docs/${String(name)}`)
    .filter((path) => path.endsWith(".md") && !path.includes("node_modules"))
    .toSorted(),
];
