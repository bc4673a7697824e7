/** What enforces NetworkPolicies on nodes: the bridge between pods does not. Made of a Go module, once. */
import { fileURLToPath } from "node:url";
import type { Say } from "../binaries.ts";
import { buildGo } from "../go-program.ts";

const folder = fileURLToPath(new URL("policies", import.meta.url));

/** @returns its path. @throws MissingTool without Go. */
export const buildEnforcer = (say: Say): Promise<string> =>
  buildGo(folder, "enforcer", "enforcer", "builds what enforces NetworkPolicies", say);
