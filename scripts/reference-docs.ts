/** Writes the pages of `docs/reference` that are drawn from the code. `test/docs.test.ts` keeps them true. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { metrics } from "../src/admin/metrics.ts";
import { machinesMarkdown } from "../src/cli/machines.ts";
import { errors } from "../src/errors.ts";

const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

export const referencePages: Readonly<Record<string, string>> = {
  "machines.md": `# State machines

Each is one file in \`src/machines\`. These diagrams are what \`turnpike machines\` prints.

${machinesMarkdown()}`,

  "errors.md": `# Errors

Every error has a code. It stands in messages, in the log (\`object.rejected\`) and in \`/api/v1/state\`.

${table(
  ["code", "what it means", "what to do"],
  Object.entries(errors).map(([code, { what, todo }]) => [`\`${code}\``, what, todo]),
)}
`,

  "metrics.md": `# Metrics

\`GET /metrics\` on the admin API, in Prometheus' text format, beside the Node.js and process defaults. Names that begin
with \`stunner_\` are those that STUNner's dashboards know.

${table(
  ["name", "labels", "meaning"],
  metrics.map(({ name, labels, help }) => [`\`${name}\``, labels.map((label) => `\`${label}\``).join(", "), help]),
)}
`,
};

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [name, text] of Object.entries(referencePages))
    writeFileSync(new URL(`../docs/reference/${name}`, import.meta.url), text);
