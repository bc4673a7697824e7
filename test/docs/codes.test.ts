/** Sources, tests and documentation say what is required, instead of citing a list that a reader does not have. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { pages, root } from "../../scripts/site/pages.ts";

/** What a reader can look up: names of standards, algorithms, encodings, ACME challenges and licences. */
const KNOWN = new Set([
  "AES",
  "BSD",
  "CVE",
  "DNS",
  "FNV",
  "GEP",
  "GPL",
  "HTTP",
  "ISO",
  "KEP",
  "MPL",
  "PSF",
  "RFC",
  "SHA",
  "UTF",
]);

const CODE = /\b([A-Z]{2,5})-\d{1,3}[a-z]?\b(?!-)/g;
const QUIRK = /\bquirk \d+/gi;

const codesIn = (text: string): readonly string[] => [
  ...Array.from(text.matchAll(CODE))
    .filter(([, prefix = ""]) => !KNOWN.has(prefix))
    .map(([code]) => code),
  ...Array.from(text.matchAll(QUIRK), ([code]) => code),
];

const modules = ["src", "test", "scripts"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.includes("fixtures"))
    .map((name) => `${folder}/${name}`),
);

it("recognizes codes, and not the names of standards", () =>
  expect(codesIn("is refused (SV-1, DX-1b), quirk 8; SHA-256, UTF-8, HTTP-01, 2.5.29, P-256")).toEqual([
    "SV-1",
    "DX-1b",
    "quirk 8",
  ]));

it("no source, test or page cites a code of a requirement", () => {
  const paths = [...modules, ...pages];
  expect(paths.length).toBeGreaterThan(400);
  const cited = paths.flatMap((path) =>
    (path.endsWith("docs/codes.test.ts") ? [] : codesIn(readFileSync(join(root, path), "utf8"))).map(
      (code) => `${path}: ${code}`,
    ),
  );
  expect(cited).toEqual([]);
});
