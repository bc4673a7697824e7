/**
 * `npm run licences`: prints every package that a user gets with Turnpike (the transitive dependencies, those of the optional
 * peer `werift` included, as `package-lock.json` pins them) with version and licence. Exits 1 on a licence that is not permitted.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

type Ranges = Readonly<Record<string, string>>;

interface Locked {
  readonly name?: string;
  readonly version?: string;
  readonly license?: string;
  readonly dependencies?: Ranges;
  readonly optionalDependencies?: Ranges;
  readonly peerDependencies?: Ranges;
}

export interface Lock {
  /** By folder; `""` is the project itself. */
  readonly packages: Readonly<Record<string, Locked>>;
}

export interface Licence {
  readonly name: string;
  readonly version: string;
  /** SPDX expression; `unknown` if the package names none. */
  readonly licence: string;
}

const PERMITTED: ReadonlySet<string> = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "PSF-2.0",
  "Python-2.0",
  "Unlicense",
]);

/** Packages that are permitted with another licence, and why. */
const EXCEPTIONS: ReadonlyMap<string, string> = new Map([
  // A dependency of the optional peer `werift`. MPL-2.0 covers its own files only; they are distributed unmodified.
  ["mediabunny", "MPL-2.0"],
]);

/** The folder that `name` resolves to for a package in `from`: the nearest `node_modules`. */
const resolved = ({ packages }: Lock, from: string, name: string): string | undefined => {
  for (let folder = from; ;) {
    const candidate = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`;
    if (packages[candidate] !== undefined) return candidate;
    if (folder === "") return undefined;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf("node_modules/") - 1));
  }
};

/** All packages that a production installation may have, by name and version. */
export const licencesOf = (lock: Lock): readonly Licence[] => {
  const seen = new Set<string>();
  const visit = (folder: string): void => {
    const { dependencies, optionalDependencies, peerDependencies } = lock.packages[folder] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const target = resolved(lock, folder, name);
      // Optional peers of dependencies are not installed.
      if (target === undefined || seen.has(target)) continue;
      seen.add(target);
      visit(target);
    }
  };
  visit("");
  const all = [...seen].map((folder): Licence => {
    const { name, version = "", license = "unknown" } = lock.packages[folder] ?? {};
    return { name: name ?? folder.slice(folder.lastIndexOf("node_modules/") + 13), version, licence: license };
  });
  const lines = new Map(all.map((one) => [`${one.name}@${one.version}`, one]));
  return [...lines].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
};

/** Whether an SPDX expression of identifiers, AND and OR (without precedence by parentheses) permits distribution. */
const isPermitted = (licence: string): boolean =>
  licence
    .replaceAll(/[()]/g, "")
    .split(" OR ")
    .some((choice) => choice.split(" AND ").every((identifier) => PERMITTED.has(identifier.trim())));

/** What is not permitted, each with its name. */
export const deniedOf = (licences: readonly Licence[]): readonly string[] =>
  licences.flatMap(({ name, version, licence }) =>
    isPermitted(licence) || EXCEPTIONS.get(name) === licence ? [] : [`${name}@${version}: ${licence}`],
  );

/** One line for each package. */
export const licenceTable = (licences: readonly Licence[]): string => {
  const width = (of: (one: Licence) => string): number => Math.max(...licences.map((one) => of(one).length));
  const [names, versions] = [width(({ name }) => name), width(({ version }) => version)];
  return licences
    .map(({ name, version, licence }) => `${name.padEnd(names)}  ${version.padEnd(versions)}  ${licence}\n`)
    .join("");
};

/** Of this project. @throws Error that names each package whose licence is not permitted. */
export const checkedLicences = (): string => {
  const path = join(fileURLToPath(new URL("..", import.meta.url)), "package-lock.json");
  const licences = licencesOf(JSON.parse(readFileSync(path, "utf8")) as Lock);
  const denied = deniedOf(licences);
  if (denied.length > 0) throw new Error(`licences that are not permitted (scripts/licences.ts): ${denied.join(", ")}`);
  return licenceTable(licences);
};

if (import.meta.main) {
  try {
    process.stdout.write(checkedLicences());
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
