/** Writes the pages of `docs/reference` that are drawn from the code. `test/docs.test.ts` keeps them true. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { metrics } from "../src/admin/metrics.ts";
import { operatorMetrics } from "../src/admin/operator-metrics.ts";
import { machinesMarkdown } from "../src/cli/machines.ts";
import { errors } from "../src/errors.ts";

const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const metricRow = ({ name, labels, help }: (typeof operatorMetrics)[number]): readonly string[] => [
  `\`${name}\``,
  labels.map((label) => `\`${label}\``).join(", "),
  help,
];

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

${table(["name", "labels", "meaning"], metrics.map(metricRow))}

## The operator's, as STUNner names them

\`turnpike operator\` has these too, at \`--metrics-bind-address\`. There is one loop, and no throttle: a *fold* stands for STUNner's
render, and a *write* of one object or status for its update. Times are histograms with buckets from 5 ms to 60 s.

${table(["name", "labels", "meaning"], operatorMetrics.map(metricRow))}
`,
};

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [name, text] of Object.entries(referencePages))
    writeFileSync(new URL(`../docs/reference/${name}`, import.meta.url), text);
