/**
 * The documentation as a static site, without a server, from any path and off the network:
 *
 *     npm run docs:site          # into .site
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire, stripTypeScriptTypes } from "node:module";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { createSlugs } from "./links.ts";
import { INDEX, pages, readPage, root } from "./pages.ts";
import { searchIndex, weightOf, type Section } from "./search.ts";

const TOOLS = join(root, "docs/site");

/** What of markdown-it is used here. */
interface Token {
  readonly type: string;
  readonly tag: string;
  readonly content: string;
  readonly info: string;
  readonly children: readonly Token[] | null;
  attrGet(name: string): string | null;
  attrSet(name: string, value: string): void;
}
interface Markdown {
  parse(text: string, env: object): readonly Token[];
  readonly renderer: { render(tokens: readonly Token[], options: object, env: object): string };
  readonly options: object;
}

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

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** Where a page is on the site. */
export const targetOf = (path: string): string =>
  path === "README.md" ? "index.html" : path.replace(/\.md$/, ".html");

const relativeTo = (from: string, to: string): string => posix.relative(posix.dirname(from), to) || ".";

interface Page {
  readonly title: string;
  readonly body: string;
  readonly hasDiagram: boolean;
  readonly sections: readonly Section[];
  /** Files and folders of the repository that it leads to, which are no pages. */
  readonly files: readonly string[];
}

const isOutside = (link: string): boolean => /^[a-z]+:/.test(link) || link.startsWith("#");

const textOf = (token: Token | undefined): string =>
  (token?.children ?? [])
    .map(({ type, content }) => (type === "text" || type === "code_inline" ? content : type === "softbreak" ? " " : ""))
    .join("");

/** What is searched for of a page: its text and code, section by section. */
const sectionsOf = (tokens: readonly Token[], path: string, title: string): readonly Section[] => {
  const sections: Section[] = [];
  let [heading, anchor, text] = [title, "", [] as string[]];
  const end = (): void => {
    const url = `${targetOf(path)}${anchor === "" ? "" : `#${anchor}`}`;
    sections.push({ title, heading, text: text.join(" "), url, weight: weightOf(path) });
  };
  tokens.forEach((token, place) => {
    if (token.type === "heading_open" && token.tag !== "h1") {
      end();
      [heading, anchor, text] = [textOf(tokens[place + 1]), token.attrGet("id") ?? "", []];
    } else if (token.type === "inline" && tokens[place - 1]?.type !== "heading_open") text.push(textOf(token));
    else if (token.type === "code_block" || (token.type === "fence" && token.info !== "mermaid"))
      text.push(token.content.trim());
  });
  end();
  return sections.map((section) => ({ ...section, text: section.text.replaceAll(/\s+/g, " ") }));
};

const pageOf = (markdown: Markdown, path: string): Page => {
  const tokens = markdown.parse(readPage(path), {});
  const slug = createSlugs();
  const files: string[] = [];
  let title = "";

  const follow = (token: Token, attribute: "href" | "src"): void => {
    const link = token.attrGet(attribute);
    if (link === null || isOutside(link)) return;
    const [file = "", anchor] = link.split("#");
    const target = posix.normalize(posix.join(posix.dirname(path), file)).replace(/\/$/, "");
    if (!pages.includes(target)) files.push(target);
    const isFolder = !pages.includes(target) && statSync(join(root, target), { throwIfNoEntry: false })?.isDirectory();
    const there = pages.includes(target) ? targetOf(target) : isFolder === true ? `${target}/index.html` : target;
    token.attrSet(attribute, `${relativeTo(targetOf(path), there)}${anchor === undefined ? "" : `#${anchor}`}`);
  };

  tokens.forEach((token, place) => {
    if (token.type === "heading_open") {
      const text = textOf(tokens[place + 1]);
      title ||= text;
      token.attrSet("id", slug(text));
    }
    for (const child of token.children ?? []) {
      if (child.type === "link_open") follow(child, "href");
      if (child.type === "image") follow(child, "src");
    }
  });
  const body = markdown.renderer.render(tokens, markdown.options, {});
  return {
    title,
    // Its text is what draws it.
    body: body.replaceAll(
      /<pre><code class="language-mermaid">([\s\S]*?)<\/code><\/pre>/g,
      (_, diagram: string) => `<pre class="mermaid">${diagram}</pre>`,
    ),
    hasDiagram: body.includes("language-mermaid"),
    sections: sectionsOf(tokens, path, title),
    files,
  };
};

/** The index, as a list beside every page. */
const navigationOf = (markdown: Markdown, from: string): string => {
  const parts: string[] = [];
  const tokens = markdown.parse(readPage(INDEX), {});
  tokens.forEach((token, place) => {
    if (token.type === "heading_open" && token.tag === "h2")
      parts.push(`<h2>${escape(textOf(tokens[place + 1]))}</h2>`);
    const children = token.children ?? [];
    children.forEach((child, index) => {
      if (child.type !== "link_open") return;
      const target = posix.normalize(posix.join("docs", (child.attrGet("href") ?? "").split("#")[0] ?? ""));
      if (!pages.includes(target)) return;
      const current = target === from ? ' aria-current="page"' : "";
      const href = relativeTo(targetOf(from), targetOf(target));
      parts.push(`<a href="${escape(href)}"${current}>${escape(children[index + 1]?.content ?? "")}</a>`);
    });
  });
  return parts.join("\n");
};

const html = (path: string, page: Page, navigation: string): string => {
  const to = (target: string): string => escape(relativeTo(targetOf(path), target));
  const diagrams = `<script src="${to("mermaid.min.js")}"></script>
<script>mermaid.initialize({ startOnLoad: true, theme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "neutral" });</script>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(page.title)}${page.title === "Turnpike" ? "" : " · Turnpike"}</title>
<link rel="stylesheet" href="${to("style.css")}">
</head>
<body>
<header>
<a class="home" href="${to("index.html")}">Turnpike</a>
<div class="search" id="search-box" role="search" hidden>
<label for="search">Search</label>
<input id="search" type="text" role="combobox" aria-expanded="false" aria-controls="search-results" aria-autocomplete="list" autocomplete="off" spellcheck="false" placeholder="Press /">
<div id="search-results" role="listbox" aria-label="Search results" hidden></div>
<p id="search-status" role="status"></p>
</div>
</header>
<nav aria-label="Documentation">
${navigation}
</nav>
<main>
${page.body}
</main>
<script src="${to("search.js")}"></script>
${page.hasDiagram ? diagrams : ""}
</body>
</html>
`;
};

/** A folder that a page leads to, as a list of what is in it. */
const listing = (folder: string): string => {
  const names = readdirSync(join(root, folder)).toSorted();
  const items = names.map((name) => `<li><a href="${escape(name)}">${escape(name)}</a></li>`).join("\n");
  return `<!doctype html>\n<meta charset="utf-8">\n<title>${escape(folder)}</title>\n<h1>${escape(folder)}</h1>\n<ul>\n${items}\n</ul>\n`;
};

/** A script for browsers. It is no module, because pages that are opened from files cannot load modules. */
const browserScript = (name: string): string => {
  const source = readFileSync(new URL(`browser/${name}.ts`, import.meta.url), "utf8");
  return `(() => {\n${stripTypeScriptTypes(source)}})();\n`;
};

/** @returns the paths of its pages. */
export const buildSite = (out: string): readonly string[] => {
  install();
  const require = createRequire(join(TOOLS, "package.json"));
  const create = require("markdown-it") as (options: object) => Markdown;
  const markdown = create({ html: true });
  rmSync(out, { recursive: true, force: true });
  const files = new Set<string>();
  const sections: Section[] = [];
  for (const path of pages) {
    const page = pageOf(markdown, path);
    const target = join(out, targetOf(path));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, html(path, page, navigationOf(markdown, path)));
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
    if (statSync(from).isDirectory()) writeFileSync(join(to, "index.html"), listing(file));
  }
  writeFileSync(join(out, "style.css"), readFileSync(join(TOOLS, "style.css")));
  cpSync(join(TOOLS, "node_modules/mermaid/dist/mermaid.min.js"), join(out, "mermaid.min.js"));
  writeFileSync(join(out, "search.js"), browserScript("search"));
  writeFileSync(join(out, "search-index.js"), searchIndex(require, sections));
  cpSync(join(TOOLS, "node_modules/minisearch/dist/umd/index.js"), join(out, "minisearch.js"));
  return pages.map(targetOf);
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = process.argv[2] ?? join(root, ".site");
  const written = buildSite(out);
  process.stdout.write(`${written.length} pages in ${out}; begin with index.html\n`);
}
