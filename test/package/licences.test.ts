/** The licences of what users get: all are permitted, and another one is reported with its package. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { checkedLicences, deniedOf, licencesOf, type Lock } from "../../scripts/licences.ts";

const lock = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../package-lock.json", import.meta.url)), "utf8"),
) as Lock;

/** The lock file with one more package, on which `dependant` depends. */
const planted = (license: string | undefined, dependant = "node_modules/commander"): Lock => ({
  packages: {
    ...lock.packages,
    [dependant]: { ...lock.packages[dependant], dependencies: { planted: "1.0.0" } },
    "node_modules/planted": { version: "1.0.0", ...(license === undefined ? {} : { license }) },
  },
});

it("are permitted", () => {
  const lines = checkedLicences().trimEnd().split("\n");
  expect(lines.length).toBeGreaterThan(100);
  expect(lines).toContainEqual(expect.stringMatching(/^xstate +\d+\.\d+\.\d+ +MIT$/));
});

it("include dependencies of dependencies and of the optional peer, and no development dependencies", () => {
  const names = licencesOf(lock).map(({ name }) => name);
  for (const { dependencies = {} } of ["stun", "werift"].map((name) => lock.packages[`node_modules/${name}`]!))
    for (const name of Object.keys(dependencies)) expect(names).toContain(name === "ip" ? "neoip" : name);
  for (const name of ["vitest", "typescript", "playwright-core"]) expect(names).not.toContain(name);
});

it.each(["GPL-3.0", "MIT AND GPL-3.0", undefined])("report a package with the licence %s", (licence) =>
  expect(deniedOf(licencesOf(planted(licence)))).toEqual([`planted@1.0.0: ${licence ?? "unknown"}`]),
);

it.each(["MIT", "(MIT OR GPL-3.0)", "MIT AND ISC"])("accept a package with the licence %s", (licence) =>
  expect(deniedOf(licencesOf(planted(licence)))).toEqual([]),
);

it("do not matter for a development dependency", () =>
  expect(deniedOf(licencesOf(planted("GPL-3.0", "node_modules/typescript")))).toEqual([]));
