/**
 * Sites of several versions in one folder, for a host of static files: each in a folder `MAJOR.MINOR`, next to them `versions.json`
 * and, for pages from files, the same as a script, and a page that leads to the latest version.
 */
import { globSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Versions {
  /** `MAJOR.MINOR` of the highest version. */
  readonly latest: string;
  readonly versions: readonly {
    /** `MAJOR.MINOR`, which is its folder. */
    readonly name: string;
    /** The paths of its pages in that folder. */
    readonly pages: readonly string[];
  }[];
}

/** `0.1` of `0.1.3`. @throws Error if it is not a version. */
export const seriesOf = (version: string): string => {
  const series = /^\d+\.\d+(?=\.)/.exec(version)?.[0];
  if (series === undefined) throw new Error(`${version} is not a version of the form MAJOR.MINOR.PATCH`);
  return series;
};

const highestFirst = (one: string, other: string): number => other.localeCompare(one, "en", { numeric: true });

/** Writes what says which versions `folder` has. @throws Error if it has none. */
export const listVersions = (folder: string): Versions => {
  const names = readdirSync(folder)
    .filter((name) => /^\d+\.\d+$/.test(name) && statSync(join(folder, name)).isDirectory())
    .toSorted(highestFirst);
  const [latest] = names;
  if (latest === undefined) throw new Error(`${folder} has no folder of a version`);
  const versions = names.map((name) => ({
    name,
    pages: globSync("**/*.html", { cwd: join(folder, name) }).toSorted(),
  }));
  const list: Versions = { latest, versions };
  writeFileSync(join(folder, "versions.json"), `${JSON.stringify(list)}\n`);
  writeFileSync(join(folder, "versions.js"), `globalThis.turnpikeVersions = ${JSON.stringify(list)};\n`);
  writeFileSync(
    join(folder, "index.html"),
    `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url=${latest}/index.html">
<title>Turnpike</title>
<p><a href="${latest}/index.html">Documentation of Turnpike ${latest}</a></p>
</html>
`,
  );
  return list;
};
