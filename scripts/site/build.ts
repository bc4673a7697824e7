/**
 * The documentation as a static site, without a server, from any path and off the network:
 *
 *     npm run docs:site                      # into .site
 *     npm run docs:site -- DIR               # into DIR
 *     npm run docs:site -- --versions DIR    # into DIR/MAJOR.MINOR, next to the versions that DIR has already
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire, stripTypeScriptTypes } from "node:module";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { contentsOf, pageOf, targetOf, type Group, type Markdown } from "./markdown.ts";
import { pages, root } from "./pages.ts";
import { searchIndex, type Section } from "./search.ts";
import { escape, html, type Edition } from "./template.ts";
import { listVersions, seriesOf } from "./versions.ts";

const TOOLS = join(root, "docs/site");

const { version: current } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly version: string;
};

/** As `package.json` pins them. */
const isInstalled = (): boolean => {
  const { dependencies } = JSON.parse(readFileSync(join(TOOLS, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return Object.entries(dependencies).every(([name, version]) => {
    const file = join(TOOLS, "node_modules", name, "package.json");
    return existsSync(file) && (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version === version;
  });
};

const install = (): void => {
  if (isInstalled()) return;
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: TOOLS, stdio: "ignore" });
};

/** A folder that a page leads to, as a list of the files in it. */
const listing = (folder: string, contents: readonly Group[], edition: Edition): string => {
  const names = readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
    .map((entry) => relative(join(root, folder), join(entry.parentPath, entry.name)))
    .toSorted();
  const items = names.map((name) => `<li><a href="${escape(encodeURI(name))}">${escape(name)}</a></li>`).join("\n");
  const body = `<h1>Files of ${escape(folder)}</h1>\n<ul>\n${items}\n</ul>`;
  const page = {
    title: `Files of ${folder}`,
    description: `The files of ${folder} in Turnpike`,
    body,
    hasDiagram: false,
  };
  return html(`${folder}/index.html`, page, contents, edition);
};

/** A script for browsers. It is no module, because pages that are opened from files cannot load modules. */
const browserScript = (name: string): string => {
  const source = readFileSync(new URL(`browser/${name}.ts`, import.meta.url), "utf8");
  return `(() => {\n${stripTypeScriptTypes(source)}})();\n`;
};

/** @returns the paths of its pages, lists of files included. */
export const buildSite = (out: string, edition: Edition = { version: current, isListed: false }): readonly string[] => {
  install();
  const require = createRequire(join(TOOLS, "package.json"));
  const create = require("markdown-it") as (options: object) => Markdown;
  const markdown = create({ html: true });
  const contents = contentsOf(markdown);
  rmSync(out, { recursive: true, force: true });
  const files = new Set<string>();
  const listings: string[] = [];
  const sections: Section[] = [];
  for (const path of pages) {
    const page = pageOf(markdown, path);
    const target = join(out, targetOf(path));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, html(targetOf(path), page, contents, edition));
    for (const file of page.files) files.add(file);
    sections.push(...page.sections);
  }
  for (const file of files) {
    const from = join(root, file);
    const to = join(out, file);
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, to, {
      recursive: true,
      filter: (source) => !/node_modules|\/\.git\b/.test(source.slice(root.length)),
    });
    if (statSync(from).isDirectory()) {
      listings.push(`${file}/index.html`);
      writeFileSync(join(to, "index.html"), listing(file, contents, edition));
    }
  }
  writeFileSync(join(out, "style.css"), readFileSync(join(TOOLS, "style.css")));
  if (edition.isListed) writeFileSync(join(out, "versions-menu.js"), browserScript("versions"));
  writeFileSync(join(out, "search.js"), browserScript("search"));
  writeFileSync(join(out, "search-index.js"), searchIndex(require, sections));
  for (const [file, name] of [
    ["mermaid/dist/mermaid.min.js", "mermaid.min.js"],
    ["mermaid/LICENSE", "mermaid.LICENSE.txt"],
    ["minisearch/dist/umd/index.js", "minisearch.js"],
    ["minisearch/LICENSE.txt", "minisearch.LICENSE.txt"],
  ] as const)
    cpSync(join(TOOLS, "node_modules", file), join(out, name));
  return [...pages.map(targetOf), ...listings];
};

/** Builds the site of a version into a folder of versions, and lists it there. @returns the folder of the version. */
export const addVersion = (folder: string, version: string = current): string => {
  const out = join(folder, seriesOf(version));
  buildSite(out, { version, isListed: true });
  listVersions(folder);
  return out;
};

if (import.meta.main) {
  const { values, positionals } = parseArgs({ options: { versions: { type: "string" } }, allowPositionals: true });
  if (values.versions === undefined) {
    const out = positionals[0] ?? join(root, ".site");
    process.stdout.write(`${buildSite(out).length} pages in ${out}; begin with index.html\n`);
  } else process.stdout.write(`${addVersion(values.versions)}; begin with ${join(values.versions, "index.html")}\n`);
}
