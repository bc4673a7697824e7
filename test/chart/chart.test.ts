/** The chart by itself: what it is written from, what it refuses, and that it says what its values are. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import { beforeAll, describe, expect, it } from "vitest";
import { valuesOf } from "../../scripts/chart-readme.ts";
import { chartFiles, manifests } from "../../scripts/chart.ts";
import { release } from "../../src/release.ts";
import { chart, helmFor, type Helm } from "./helm.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const inChart = (path: string): string => readFileSync(join(chart, path), "utf8");

let helm: Helm;
beforeAll(async () => {
  helm = await helmFor();
});

const autoscaled = "autoscaling.enabled=true,autoscaling.gateways[0].namespace=media,autoscaling.gateways[0].name=gw";

describe("the chart", () => {
  it("passes helm lint", async () => expect(await helm("lint", "--strict", chart)).toContain("0 chart(s) failed"));

  it("is of this release", () =>
    expect(parse(inChart("Chart.yaml"))).toMatchObject({ version: release, appVersion: release }));

  it.each(Object.keys(chartFiles()))("has %s as it follows from other files (npm run chart)", (path) =>
    expect(read(path)).toBe(chartFiles()[path]),
  );

  it("is what the plain manifests are rendered from (npm run chart)", async () => {
    for (const [path, text] of Object.entries(await manifests())) expect(read(path), path).toBe(text);
  });

  it("says of every value but the plainest what it is for", () => {
    const silent = valuesOf(inChart("values.yaml"))
      .filter(({ about }) => about === "")
      .map(({ path }) => path);
    expect(silent).toEqual([
      "image.pullPolicy",
      "authService.replicas",
      "authService.port",
      "authService.service.type",
      "metrics.serviceMonitor.interval",
      "metrics.podMonitor.interval",
      "serviceAccount.create",
      "priorityClassName",
      "terminationGracePeriodSeconds",
      "podDisruptionBudget.minAvailable",
    ]);
  });
});

describe("its notes", () => {
  const notesOf = (...args: readonly string[]): Promise<string> =>
    helm("install", "tp", chart, "--namespace", "media", "--dry-run=client", ...args).then((text) =>
      text.slice(text.indexOf("NOTES:")),
    );
  const manifestIn = (notes: string): string => /^kubectl apply -f - <<EOF\n(.*?)^EOF$/ms.exec(notes)?.[1] ?? "";

  it("say the next three commands, with the names of the release", async () => {
    const notes = await notesOf();
    expect(notes).toContain("  kubectl -n media rollout status deployment/tp-turnpike\n");
    expect(parseAllDocuments(manifestIn(notes)).map((document) => document.toJS() as unknown)).toMatchObject([
      {
        kind: "GatewayClass",
        spec: { parametersRef: { kind: "GatewayConfig", name: "tp-turnpike", namespace: "media" } },
      },
      { kind: "GatewayConfig", metadata: { name: "tp-turnpike", namespace: "media" } },
      { kind: "Gateway", metadata: { namespace: "media" }, spec: { gatewayClassName: "tp-turnpike" } },
    ]);
    expect(notes).toContain("  kubectl turnpike doctor\n  kubectl turnpike status gateway -n media\n");
  });

  it("follow the values", async () => {
    const notes = await notesOf(
      "--set",
      "controllerName=example.org/tp,dataplane.name=tp,watchNamespaces={one,two},requireReferenceGrants=true",
    );
    expect(parseAllDocuments(manifestIn(notes)).map((document) => document.toJS() as unknown)).toMatchObject([
      { spec: { controllerName: "example.org/tp" } },
      { metadata: { namespace: "one" }, spec: { dataplane: "tp" } },
      { metadata: { namespace: "one" } },
    ]);
    expect(notes).toContain("kubectl turnpike doctor --controller-name example.org/tp\n");
  });
});

describe("values of STUNner's chart", () => {
  const template = (...settings: readonly string[]): Promise<string> =>
    helm("template", "stunner", chart, ...settings.flatMap((one) => ["--set", one]));

  it("are taken where they mean the same", async () => {
    const theirs = await template(
      "stunnerGatewayOperator.deployment.replicas=2",
      "stunnerGatewayOperator.deployment.nodeSelector.media=yes",
      "stunnerGatewayOperator.deployment.container.manager.resources.limits.memory=2Gi",
      "stunnerGatewayOperator.deployment.container.manager.image.tag=1.2.0",
      "stunnerGatewayOperator.dataplane.mode=managed",
      "stunnerGatewayOperator.dataplane.spec.hostNetwork=true",
      "stunnerGatewayOperator.dataplane.spec.image.name=l7mp/stunnerd",
      "stunnerAuthService.enabled=true",
    );
    const ours = await template(
      "replicas=2",
      "nodeSelector.media=yes",
      "resources.limits.memory=2Gi",
      "dataplane.spec.hostNetwork=true",
      "authService.enabled=true",
      "authService.service.name=stunner-auth",
    );
    expect(theirs).toBe(ours);
    expect(theirs).not.toBe(await template());
  });

  it("are refused where they would install nothing", async () => {
    await expect(template("stunnerGatewayOperator.enabled=false")).rejects.toThrow("installs nothing");
  });
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
}

/** Paths of what has properties of its own, and of those properties. */
const pathsOf = (schema: Schema, path = ""): readonly string[] =>
  Object.entries(schema.properties ?? {}).flatMap(([name, one]) => {
    const own = path === "" ? name : `${path}.${name}`;
    return one.properties === undefined ? [own] : pathsOf(one, own);
  });

describe("the schema of its values", () => {
  const schema = JSON.parse(inChart("values.schema.json")) as Schema;

  it("knows every value, and no other", () => {
    const known = pathsOf(schema).filter((path) => !["global", "enabled"].includes(path));
    const spec = known.filter((path) => path.startsWith("dataplane.spec."));
    const documented = valuesOf(inChart("values.yaml")).map(({ path }) => path);
    expect([...known.filter((path) => !spec.includes(path)), "dataplane.spec"].toSorted()).toEqual(
      documented.toSorted(),
    );
  });

  it("knows every field of a Dataplane, and no other", () => {
    const definition = parse(read("deploy/crds/stunner.l7mp.io_dataplanes.yaml")) as {
      readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
    };
    const wanted = definition.spec.versions[0]?.schema.openAPIV3Schema.properties?.["spec"];
    const found = schema.properties?.["dataplane"]?.properties?.["spec"];
    expect(Object.keys(found?.properties ?? {}).toSorted()).toEqual(Object.keys(wanted?.properties ?? {}).toSorted());
  });

  it.each([
    ["a name that does not exist", "replica=2", "additional properties 'replica' not allowed"],
    ["one that does not exist further in", "dataplane.spec.imag=x", "additional properties 'imag' not allowed"],
    ["an unknown choice", "dataplaneMode=lagacy", "dataplaneMode"],
    ["a text in place of a number", "replicas=many", "replicas"],
    ["a controller name that Kubernetes refuses", "controllerName=turnpike", "controllerName"],
    ["deletion costs without managed dataplanes", "podDeletionCost=true,embedded=true", "needs managed dataplanes"],
    ["an autoscaler without Gateways", "autoscaling.enabled=true", "name the Gateways"],
    ["an autoscaler of a DaemonSet", `${autoscaled},dataplane.spec.dataplaneResource=DaemonSet`, "needs Deployments"],
    [
      "an autoscaler without metrics",
      `${autoscaled},dataplane.spec.enableMetricsEndpoint=false`,
      "dataplanes' metrics",
    ],
    ["an autoscaler of nothing", `${autoscaled},dataplaneMode=legacy`, "needs managed dataplanes"],
    ["less than the least number of pods", `${autoscaled},autoscaling.maxReplicas=1`, "greater than maxReplicas"],
    ["no pod at all", `${autoscaled},autoscaling.minReplicas=0`, "minReplicas"],
    ["an event log with two writers", "journal.persistent=true,replicas=2", "an event log has one writer"],
  ])("refuses %s", async (_, setting, complaint) => {
    await expect(helm("template", "x", chart, "--set", setting)).rejects.toThrow(complaint);
  });
});
