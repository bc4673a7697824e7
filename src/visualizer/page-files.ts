/** The files of the page: HTML, style, modules, icon. */
import { readFileSync } from "node:fs";
import { CALL, fileOf, MAIN, pageModules, type PageFile } from "./modules.ts";

const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="none" stroke="#2f6fde" stroke-width="2" d="M2 14V3m0 3h9l3 4M7 14v-4"/></svg>';

const html = (title: string, main: string, modules: Iterable<string>): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
${[...modules].map((url) => `<link rel="modulepreload" href="${url}">`).join("\n")}
<script type="module" src="${main}"></script>
</head>
<body><noscript>This page works with JavaScript, which is turned off.</noscript><div id="app"></div></body>
</html>
`;

const asset = (name: string): string => readFileSync(new URL(`app/${name}`, import.meta.url), "utf8");

/** By path. Building them takes a third of a second of CPU time. */
export const pageFiles = (): ReadonlyMap<string, PageFile> => {
  const pages = [
    { path: "/", title: "Turnpike", main: MAIN },
    { path: "/call", title: "A call through the gateway", main: CALL },
  ].map((page) => ({ ...page, modules: pageModules(page.main) }));
  return new Map([
    ...pages.flatMap(({ modules }) => [...modules]),
    ...pages.map(
      ({ path, title, main, modules }) =>
        [path, fileOf("text/html; charset=utf-8", html(title, main, modules.keys()))] as const,
    ),
    ["/style.css", fileOf("text/css; charset=utf-8", asset("style.css"))],
    ["/icon.svg", fileOf("image/svg+xml", ICON)],
  ]);
};
