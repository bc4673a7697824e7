/**
 * What of the chart follows from other files, and the plain manifests that follow from the chart:
 *
 *     npm run chart    # after a change to deploy/crds, deploy/alerts, deploy/dashboards or the chart
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMap, parseAllDocuments } from "yaml";
import { chart, helmFor } from "../test/chart/helm.ts";
import { chartReadme } from "./chart-readme.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

type Files = Readonly<Record<string, string>>;

const CHART = "deploy/helm/turnpike";
const NAMESPACE = "turnpike-system";
/** They say what Helm has done. */
const HELM_LABELS = ["helm.sh/chart", "app.kubernetes.io/managed-by"];

/** Files of the chart, by path: Helm reads none that lie outside. */
export const chartFiles = (): Files => ({
  ...Object.fromEntries(
    readdirSync(join(root, "deploy/crds")).map((name) => [`${CHART}/crds/${name}`, read(`deploy/crds/${name}`)]),
  ),
  [`${CHART}/files/turnpike.rules.yaml`]: read("deploy/alerts/turnpike.rules.yaml"),
  [`${CHART}/files/turnpike.json`]: read("deploy/dashboards/turnpike.json"),
  [`${CHART}/README.md`]: chartReadme(read(`${CHART}/values.yaml`)),
});

const plain = (rendered: string): string =>
  parseAllDocuments(rendered)
    .filter((document) => isMap(document.contents))
    .map((document) => {
      document.commentBefore = null;
      for (const path of [["metadata"], ["spec", "template", "metadata"]]) {
        const unwanted = [["annotations"], ...HELM_LABELS.map((label) => ["labels", label])];
        for (const rest of unwanted) if (document.hasIn([...path, ...rest])) document.deleteIn([...path, ...rest]);
      }
      return String(document).replace(/^---\n|^# Source: .*\n/gm, "");
    })
    .join("---\n");

/** The chart as it is rendered without any value, less what is Helm's. */
export const manifests = async (): Promise<Files> => {
  const helm = await helmFor();
  const template = (...args: readonly string[]): Promise<string> =>
    helm("template", "turnpike", chart, "--namespace", NAMESPACE, ...args);
  const [all, cleanup] = await Promise.all([
    template("--include-crds", "--no-hooks"),
    template("--show-only", "templates/cleanup.yaml"),
  ]);
  const namespace = `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${NAMESPACE}\n`;
  const head = (what: string): string => `# ${what}\n# Written from the chart by \`npm run chart\`.\n`;
  return {
    "deploy/manifests/turnpike.yaml": `${head("Turnpike and its definitions, in the namespace turnpike-system.")}${namespace}---\n${plain(all)}`,
    "deploy/manifests/cleanup.yaml": `${head("Before turnpike.yaml is deleted: stops the operator and removes all that it has made.")}${plain(cleanup)}`,
  };
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const write = (files: Files): void => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  };
  // The manifests are rendered from the chart that is there.
  write(chartFiles());
  write(await manifests());
}
