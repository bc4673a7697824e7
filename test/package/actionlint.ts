/** actionlint, which reads the workflows. */
import { fileURLToPath } from "node:url";
import { buildGo } from "../cluster/go-program.ts";

const folder = fileURLToPath(new URL("actionlint", import.meta.url));

/** @returns the path of the program. @throws MissingTool without Go. */
export const buildActionlint = (): Promise<string> =>
  buildGo(
    folder,
    "github.com/rhysd/actionlint/cmd/actionlint",
    "actionlint",
    "builds actionlint, which reads the workflows",
  );
