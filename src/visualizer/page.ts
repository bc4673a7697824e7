/** The page: HTML, style, modules, icon. No part of it comes from elsewhere, and none of it holds anything of the log. */
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { fileOf, MAIN, pageModules, type PageFile } from "./modules.ts";

/** Scripts, styles and connections of this origin alone; nothing may frame the page, and it may post nothing anywhere. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-cache",
};

const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="none" stroke="#2f6fde" stroke-width="2" d="M2 14V3m0 3h9l3 4M7 14v-4"/></svg>';

const html = (modules: Iterable<string>): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Turnpike</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
${[...modules].map((url) => `<link rel="modulepreload" href="${url}">`).join("\n")}
<script type="module" src="${MAIN}"></script>
</head>
<body><noscript>This page draws the event log with JavaScript, which is turned off.</noscript><div id="app"></div></body>
</html>
`;

const asset = (name: string): string => readFileSync(new URL(`app/${name}`, import.meta.url), "utf8");

const pageFiles = (): ReadonlyMap<string, PageFile> => {
  const modules = pageModules();
  return new Map([
    ...modules,
    ["/", fileOf("text/html; charset=utf-8", html(modules.keys()))],
    ["/style.css", fileOf("text/css; charset=utf-8", asset("style.css"))],
    ["/icon.svg", fileOf("image/svg+xml", ICON)],
  ]);
};

let files: ReadonlyMap<string, PageFile> | undefined;

/** Answers if `path` is of the page, and says whether it did. */
export const servePage = (path: string, { headers, method }: IncomingMessage, response: ServerResponse): boolean => {
  files ??= pageFiles();
  const file = files.get(path);
  if (file === undefined) return false;
  if (headers["if-none-match"] === file.etag) {
    response.writeHead(304, HEADERS).end();
    return true;
  }
  response.writeHead(200, { ...HEADERS, "content-type": file.type, etag: file.etag });
  response.end(method === "HEAD" ? undefined : file.body);
  return true;
};
