/** What surrounds the text of every page. */
import { relativeTo, targetOf, type Group, type Page } from "./markdown.ts";

export const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

export interface Edition {
  /** `MAJOR.MINOR.PATCH` */
  readonly version: string;
  /** Whether the folder of the site is in a folder of versions. */
  readonly isListed: boolean;
}

/** @param target where the page is on the site. */
export const html = (
  target: string,
  page: Pick<Page, "title" | "description" | "body" | "hasDiagram">,
  contents: readonly Group[],
  edition: Edition,
): string => {
  const to = (other: string): string => escape(relativeTo(target, other));
  const navigation = contents.map(({ heading, links }) => {
    const items = links.map(({ name, page }) => {
      const current = targetOf(page) === target ? ' aria-current="page"' : "";
      return `<li><a href="${to(targetOf(page))}"${current}>${escape(name)}</a></li>`;
    });
    return `<h2>${escape(heading)}</h2>\n<ul>\n${items.join("\n")}\n</ul>`;
  });
  const diagrams = `<script src="${to("mermaid.min.js")}"></script>
<script>
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
mermaid.initialize({ startOnLoad: true, theme: dark ? "dark" : "neutral", themeVariables: dark ? { edgeLabelBackground: "#18202b" } : {} });
</script>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="${escape(page.description)}">
<title>${escape(page.title)}${page.title === "Turnpike" ? "" : " · Turnpike"}</title>
<link rel="stylesheet" href="${to("style.css")}">
</head>
<body>
<a class="skip" href="#page-text">Skip to the text</a>
<header>
<a class="home" href="${to("index.html")}">Turnpike</a>
<span id="page-version">${edition.version}</span>
<a class="contents" href="#page-contents">Contents</a>
<div class="search" id="search-box" role="search" hidden>
<label for="search">Search</label>
<input id="search" type="text" role="combobox" aria-expanded="false" aria-controls="search-results" aria-autocomplete="list" autocomplete="off" spellcheck="false" placeholder="Search (press /)">
<div id="search-results" role="listbox" aria-label="Search results" hidden></div>
<p id="search-status" role="status"></p>
</div>
</header>
<main id="page-text" tabindex="-1">
${page.body}
</main>
<nav id="page-contents" aria-label="Documentation" tabindex="-1">
${navigation.join("\n")}
</nav>
<script src="${to("search.js")}"></script>
${edition.isListed ? `<script src="${to("versions-menu.js")}"></script>` : ""}
${page.hasDiagram ? diagrams : ""}
</body>
</html>
`;
};
