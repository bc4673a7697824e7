/** What a guide tells its reader to apply. */
import { parseAllDocuments } from "yaml";
import { readPage } from "../../scripts/site/pages.ts";
import type { Literal } from "../cluster/client.ts";
import { blocksOf } from "../docs/shell.ts";

export interface Guide {
  /** The manifests, in order. */
  readonly manifests: readonly Literal[];
  /** The text of the file `name`, which its first line names. @throws Error if there is none. */
  file(name: string): string;
}

/** @param name of the page in `docs/guides`. */
export const readGuide = (name: string): Guide => {
  const blocks = blocksOf(readPage(`docs/guides/${name}.md`));
  return {
    manifests: blocks
      .filter(({ language, text }) => language === "yaml" && /^apiVersion: /m.test(text) && /^kind: /m.test(text))
      .flatMap(({ text }) => parseAllDocuments(text).map((document) => document.toJS() as Literal)),
    file(file) {
      const found = blocks.find(({ text }) => text.startsWith(`# ${file}`));
      if (found === undefined) throw new Error(`docs/guides/${name}.md has no ${file}`);
      return found.text;
    },
  };
};
