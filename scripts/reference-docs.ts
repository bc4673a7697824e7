/** Writes the pages of `docs/reference` that are generated from the code. `test/docs/pages.test.ts` keeps them true. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { metrics } from "../src/admin/metrics.ts";
import { operatorMetrics } from "../src/admin/operator-metrics.ts";
import { buildProgram } from "../src/cli/commands.ts";
import { machinesMarkdown } from "../src/cli/machines.ts";
import { errors } from "../src/errors.ts";
import { checks } from "../src/doctor/doctor.ts";
import { problems } from "../src/doctor/problem.ts";
import { findings } from "../src/lint/finding.ts";
import { denials, drops, explanations, refusals } from "../src/reasons.ts";
import { annotationsPage } from "./annotations-page.ts";
import { cliPage } from "./cli-page.ts";
import { environmentPage } from "./environment-page.ts";
import { resourcesPage } from "./resources-page.ts";
import { roomsPage } from "./rooms-page.ts";

const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const reasons = (codes: Readonly<Record<string, { readonly what: string; readonly todo: string }>>): string =>
  table(
    ["code", "what it means", "what to do"],
    Object.entries(codes).map(([code, { what, todo }]) => [`\`${code}\``, what, todo]),
  );

const metricRow = ({ name, labels, help }: (typeof operatorMetrics)[number]): readonly string[] => [
  `\`${name}\``,
  labels.map((label) => `\`${label}\``).join(", "),
  help,
];

export const referencePages: Readonly<Record<string, string>> = {
  "resources.md": resourcesPage(),
  "rooms.md": roomsPage(),
  "annotations.md": annotationsPage(),
  "environment.md": environmentPage(),

  "machines.md": `# State machines

Each is one file in \`src/machines\`. These diagrams are what \`turnpike machines\` prints.

${machinesMarkdown()}`,

  "errors.md": `# Errors

Every error has a code. It stands in messages, in the log (\`object.rejected\`) and in \`/api/v1/state\`.

${reasons(errors)}
`,

  "reasons.md": `# Why the relay refuses and drops

A code means the same wherever it stands: \`code\` in the program's log and in \`peer.refused\` of the [event log](events.md), the
label \`reason\` of a [metric](metrics.md), a key or \`code\` in \`/api/v1/state\`, and what \`turnpike explain\` says.

## Peers

Why a client may not exchange packets with a peer: \`peer.refused\`, \`turnpike_peers_denied_total\`, \`relay.denied\` and
\`gateways[].refusals\`. A request for such a peer is answered with 403, and counted below as \`403 CODE\`.

${reasons(denials)}

## Requests

Answered with an error, whose number (RFC 8489, RFC 8656, RFC 6062) is the beginning of the code:
\`turnpike_requests_refused_total\`, \`relay.refused\`. At log level debug each is a line, \`request refused\`, fifty a second at most.

${reasons(refusals)}

## Drops

Datagrams, frames and connections that are not answered: \`turnpike_packets_dropped_total\`, \`relay.dropped\`.

${reasons(drops)}

## What \`turnpike explain\` says

The most telling first. Where the relay would refuse the peer, the code is the relay's.

${reasons(explanations)}
`,

  "cli.md": cliPage(await buildProgram()),

  "lint.md": `# What \`turnpike lint\` finds

Errors make it exit 1, warnings only with \`--strict\`; \`--ignore CODE\` leaves findings out.

${table(
  ["code", "", "what it means", "what to do"],
  Object.entries(findings).map(([code, { severity, what, todo }]) => [`\`${code}\``, severity, what, todo]),
)}
`,

  "doctor.md": `# What \`turnpike doctor\` finds

It makes these checks in this order. A check that depends on a failed one is skipped, and names it. Where a check fails, the
command exits with 1; with warnings alone it exits with 0.

${table(
  ["check", "depends on"],
  checks.map(({ title, needs }) => [
    title,
    needs.map((need) => checks.find(({ id }) => id === need)?.title ?? need).join(", "),
  ]),
)}

[Findings of lint](lint.md) are shown under the check that they belong to. The other findings are:

${table(
  ["code", "", "what it means", "what to do"],
  Object.entries(problems).map(([code, { severity, what, todo }]) => [`\`${code}\``, severity, what, todo]),
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
