/** The last good config on disk: what a dataplane serves that starts while nobody answers. It holds secrets. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { parseDocument, readConfig } from "./document.ts";
import { encodeConfig } from "./protocol.ts";

/** @throws the error of writing. For the owner's eyes only; whole, or as it was. */
export const saveConfig = (path: string, config: DataplaneConfig): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, encodeConfig(config), { mode: 0o600 });
  renameSync(`${path}.new`, path);
};

/** Nothing where there is none, or none that is sound. */
export const loadConfig = (path: string): DataplaneConfig | undefined => {
  try {
    return readConfig(parseDocument(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
};
