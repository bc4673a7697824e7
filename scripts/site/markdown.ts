/** Pages as markdown-it reads them: HTML, what the search finds of them, and where they lead. */
import { statSync } from "node:fs";
import { join, posix } from "node:path";
import { createSlugs } from "./links.ts";
import { INDEX, pages, readPage, root } from "./pages.ts";
import { weightOf, type Section } from "./search.ts";

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
export interface Markdown {
  parse(text: string, env: object): readonly Token[];
  readonly renderer: { render(tokens: readonly Token[], options: object, env: object): string };
  readonly options: object;
}

export interface Page {
  readonly title: string;
  /** For search engines and previews of links. */
  readonly description: string;
  readonly body: string;
  readonly hasDiagram: boolean;
  readonly sections: readonly Section[];
  /** Files and folders of the repository that it leads to, which are no pages. */
  readonly files: readonly string[];
}

const DESCRIPTION_LENGTH = 160;

/** Where a page is on the site. */
export const targetOf = (path: string): string =>
  path === "README.md" ? "index.html" : path.replace(/\.md$/, ".html");

export const relativeTo = (from: string, to: string): string => posix.relative(posix.dirname(from), to) || ".";

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

/** The first paragraph, cut at a word. */
const descriptionOf = (tokens: readonly Token[], title: string): string => {
  const paragraphs = tokens.filter((_, place) => tokens[place - 1]?.type === "paragraph_open").map(textOf);
  const text = paragraphs.find((one) => one.length > 40) ?? `Turnpike, a Kubernetes media gateway for WebRTC: ${title}`;
  return text.length <= DESCRIPTION_LENGTH ? text : `${text.slice(0, text.lastIndexOf(" ", DESCRIPTION_LENGTH))} …`;
};

/** The kind of a diagram is its first line, and the name that a screen reader says may follow. */
const named = (diagram: string, name: string): string =>
  /^\s*accTitle/m.test(diagram) ? diagram : diagram.replace("\n", `\naccTitle: ${name}\n`);

/** Scrolls sideways by itself, also with the keyboard; a cell of the head without a text is no heading. */
const accessible = (body: string): string =>
  body
    .replaceAll(/<th( [^>]*)?><\/th>/g, "<td$1></td>")
    .replaceAll(/<th(?=[ >])/g, '<th scope="col"')
    .replaceAll("<table>", '<div class="table" role="group" aria-label="Table" tabindex="0"><table>')
    .replaceAll("</table>", "</table></div>")
    .replaceAll("<pre>", '<pre tabindex="0">');

export const pageOf = (markdown: Markdown, path: string): Page => {
  const tokens = markdown.parse(readPage(path), {});
  const slug = createSlugs();
  const files: string[] = [];
  const diagrams: string[] = [];
  let title = "";
  let heading = "";

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
      heading = textOf(tokens[place + 1]);
      title ||= heading;
      token.attrSet("id", slug(heading));
    }
    if (token.type === "fence" && token.info === "mermaid") diagrams.push(heading);
    for (const child of token.children ?? []) {
      if (child.type === "link_open") follow(child, "href");
      if (child.type === "image") follow(child, "src");
    }
  });
  const rendered = accessible(markdown.renderer.render(tokens, markdown.options, {}));
  let drawn = 0;
  const body = rendered.replaceAll(
    /<pre tabindex="0"><code class="language-mermaid">([\s\S]*?)<\/code><\/pre>/g,
    // Its text is what draws it.
    (_, diagram: string) => `<pre class="mermaid" tabindex="0">${named(diagram, diagrams[drawn++] ?? title)}</pre>`,
  );
  return {
    title,
    description: descriptionOf(tokens, title),
    body,
    hasDiagram: drawn > 0,
    sections: sectionsOf(tokens, path, title),
    files,
  };
};

export interface Group {
  readonly heading: string;
  readonly links: readonly { readonly name: string; readonly page: string }[];
}

/** The index of the documentation, as it is beside every page. */
export const contentsOf = (markdown: Markdown): readonly Group[] => {
  const groups: { heading: string; links: { name: string; page: string }[] }[] = [];
  const tokens = markdown.parse(readPage(INDEX), {});
  tokens.forEach((token, place) => {
    if (token.type === "heading_open" && token.tag === "h2")
      groups.push({ heading: textOf(tokens[place + 1]), links: [] });
    const children = token.children ?? [];
    children.forEach((child, index) => {
      if (child.type !== "link_open") return;
      const page = posix.normalize(posix.join("docs", (child.attrGet("href") ?? "").split("#")[0] ?? ""));
      if (pages.includes(page)) groups.at(-1)?.links.push({ name: children[index + 1]?.content ?? "", page });
    });
  });
  return groups;
};
