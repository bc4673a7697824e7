/** Programs on pion/turn. */
import { fileURLToPath } from "node:url";
import { buildGo } from "../cluster/go-program.ts";

const folder = fileURLToPath(new URL("pion", import.meta.url));

/** @returns the path of the program in `pion/NAME`. @throws MissingTool without Go. */
export const buildPion = (name: "client" | "server"): Promise<string> =>
  buildGo(folder, name, `pion-${name}`, "builds a TURN client and server on pion/turn");
