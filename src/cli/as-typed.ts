/** How this program is called here, for lines that are printed to be typed. */
import { extname } from "node:path";

/** From a checkout, by npx, or as it is installed. */
export const asTyped = (): string => {
  if (extname(import.meta.url) === ".ts") return "./bin/turnpike";
  return process.env["npm_command"] === "exec" ? "npx turnpike" : "turnpike";
};
