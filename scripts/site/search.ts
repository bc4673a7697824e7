/** The search index of the site, as a script: pages that are opened from files cannot fetch. */
import type { createRequire } from "node:module";

/** A heading of a page, with the text up to the next one. */
export interface Section {
  /** Of its page. */
  readonly title: string;
  /** The title again for the text before the first heading below it. */
  readonly heading: string;
  readonly text: string;
  /** From the folder of the site. */
  readonly url: string;
  /** What its score is multiplied by. */
  readonly weight: number;
}

/** What of MiniSearch is used here. */
interface Index {
  addAll(documents: readonly object[]): void;
  toJSON(): object;
}

const OPTIONS = {
  fields: ["title", "heading", "text"],
  storeFields: ["title", "heading", "text", "url", "weight"],
};

/** Lists of links, history and the reasons for it are rarely what a reader looks for. */
export const weightOf = (path: string): number =>
  /^CHANGELOG|^docs\/(README|style)\.|\/decisions\//.test(path) ? 0.5 : 1;

/** @param require from a folder that has MiniSearch. */
export const searchIndex = (require: ReturnType<typeof createRequire>, sections: readonly Section[]): string => {
  const MiniSearch = require("minisearch") as new (options: object) => Index;
  const index = new MiniSearch(OPTIONS);
  index.addAll(sections.map((section, id) => ({ id, ...section })));
  return `globalThis.turnpikeSearch = ${JSON.stringify({ options: OPTIONS, index })};\n`;
};
