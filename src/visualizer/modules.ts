/**
 * The page's JavaScript: the pure modules of this program, with their types stripped, and the few packages that the page
 * needs. It serves only what `app/main.ts` and `app/call.ts` import, directly or indirectly.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire, stripTypeScriptTypes } from "node:module";
import { dirname, extname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";

export interface PageFile {
  readonly type: string;
  readonly body: string;
  readonly etag: string;
}

const SOURCE = dirname(dirname(fileURLToPath(import.meta.url)));
const EXTENSION = extname(import.meta.url);
/** The entry module of each page. */
export const MAIN = `/app/visualizer/app/main${EXTENSION}`;
export const CALL = `/app/visualizer/app/call${EXTENSION}`;

const JAVASCRIPT = "text/javascript; charset=utf-8";

const require = createRequire(import.meta.url);
/** The ES module of a package, if Node would load another file. */
const LIBRARIES: Readonly<Record<string, () => string>> = {
  preact: () => require.resolve("preact"),
  "preact/hooks": () => require.resolve("preact/hooks"),
  "@dagrejs/dagre": () => join(dirname(require.resolve("@dagrejs/dagre")), "dagre.esm.js"),
};

const urlOfLibrary = (name: string): string => `/lib/${name.replace(/[@/]/g, "_")}.js`;

/** An import statement at the beginning of a line, as formatters and bundlers write it. */
const IMPORT = /^(import\s*|(?:import|export)\b[^"';=]*?\bfrom\s*)"([^"]+)"/gm;

export const fileOf = (type: string, body: string): PageFile => ({
  type,
  body,
  etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 16)}"`,
});

/** With its imports, as URLs. */
const load = (url: string): { readonly body: string; readonly imports: readonly string[] } => {
  const imports: string[] = [];
  const library = Object.keys(LIBRARIES).find((name) => urlOfLibrary(name) === url);
  const path = library === undefined ? join(SOURCE, relative("/app", url)) : (LIBRARIES[library]?.() ?? "");
  const text = readFileSync(path, "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, "");
  const code = extname(path) === ".ts" ? stripTypeScriptTypes(text) : text;
  const body = code.replace(IMPORT, (_, before: string, specifier: string) => {
    const target = specifier.startsWith(".")
      ? posix.join(posix.dirname(url), specifier)
      : specifier in LIBRARIES
        ? urlOfLibrary(specifier)
        : undefined;
    if (target === undefined) throw new Error(`${url} imports ${specifier}, which a browser cannot have`);
    imports.push(target);
    return `${before}"${target}"`;
  });
  return { body, imports };
};

/** Every module of a page that begins with `main`, by its URL. */
export const pageModules = (main: string): ReadonlyMap<string, PageFile> => {
  const modules = new Map<string, PageFile>();
  const waiting = [main];
  for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
    if (modules.has(url)) continue;
    const { body, imports } = load(url);
    modules.set(url, fileOf(JAVASCRIPT, body));
    waiting.push(...imports);
  }
  return modules;
};
