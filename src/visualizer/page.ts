/** Serves the page. No part of it comes from another origin, and none of it contains data of the log. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { PageFile } from "./modules.ts";

/** Only scripts, styles and connections of this origin; no page may frame this one, and it may not submit forms. */
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

type Files = ReadonlyMap<string, PageFile>;

/** On a separate thread: relaying threads do not have the time. */
const madeElsewhere = (): Promise<Files> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL(`page-files-worker${extname(import.meta.url)}`, import.meta.url), {
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    worker.once("message", (files: Files) => resolve(files));
    worker.once("error", reject);
  });

let files: Promise<Files> | undefined;

/** Answers if `path` belongs to the page, and returns whether it did. @throws the error of building the page. */
export const servePage = async (
  path: string,
  { headers, method }: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> => {
  files ??= madeElsewhere();
  const file = (await files).get(path);
  if (file === undefined) return false;
  if (headers["if-none-match"] === file.etag) {
    response.writeHead(304, HEADERS).end();
    return true;
  }
  response.writeHead(200, { ...HEADERS, "content-type": file.type, etag: file.etag });
  response.end(method === "HEAD" ? undefined : file.body);
  return true;
};
