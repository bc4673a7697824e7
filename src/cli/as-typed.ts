/** The command line of this program as it was invoked here, for printed commands. */
import { extname } from "node:path";

/** From a checkout, by npx, or as an installed program. */
export const asTyped = (): string => {
  if (extname(import.meta.url) === ".ts") return "./bin/turnpike";
  return process.env["npm_command"] === "exec" ? "npx turnpike" : "turnpike";
};
