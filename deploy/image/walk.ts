/** Everything below a folder. */
import { readdirSync, type Dirent } from "node:fs";
import { join } from "node:path";

/** Node's own `recursive` goes into folders by links, too: `/bin` and `/lib` are such. */
export const walk = (folder: string): readonly Dirent[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => [
    entry,
    ...(entry.isDirectory() ? walk(join(folder, entry.name)) : []),
  ]);
