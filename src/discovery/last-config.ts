/** The last valid config on disk: a dataplane that starts while no server answers serves it. It contains secrets. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { parseDocument, readConfig } from "./document.ts";
import { encodeConfig } from "./protocol.ts";

/** @throws the error of writing. Readable only by the owner; written atomically. */
export const saveConfig = (path: string, config: DataplaneConfig): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, encodeConfig(config), { mode: 0o600 });
  renameSync(`${path}.new`, path);
};

/** Undefined if there is none, or it is damaged. */
export const loadConfig = (path: string): DataplaneConfig | undefined => {
  try {
    return readConfig(parseDocument(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
};
