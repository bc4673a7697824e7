/** The artefacts that are checked on a node, and where the result goes; by environment variables. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const { version } = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../package.json", import.meta.url)), "utf8"),
) as { readonly version: string };

/** Names of the variables. */
export const VARIABLES = { folder: "TURNPIKE_RELEASE", report: "TURNPIKE_RELEASE_REPORT" } as const;

/** @throws Error outside of `npm run release`. */
export const given = (name: keyof typeof VARIABLES): string => {
  const value = process.env[VARIABLES[name]];
  if (value === undefined) throw new Error(`${VARIABLES[name]} is not set: run npm run release -- --dry-run`);
  return value;
};
