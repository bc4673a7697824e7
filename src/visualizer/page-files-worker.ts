/** Builds the page's files, and ends. */
import { parentPort } from "node:worker_threads";
import { pageFiles } from "./page-files.ts";

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have none
parentPort?.postMessage(pageFiles());
