/** The dashboard and the alerts use only existing metrics, labels and codes. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Registry, collectDefaultMetrics } from "@prometheus-io/client";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { dashboard, dashboardText } from "../../scripts/dashboard.ts";
import { metrics } from "../../src/admin/metrics.ts";
import { operatorMetrics } from "../../src/admin/operator-metrics.ts";
import { errors } from "../../src/errors.ts";
import { endpointMachine } from "../../src/machines/endpoint.ts";
import { gatewayMachine } from "../../src/machines/gateway.ts";
import { listenerMachine } from "../../src/machines/listener.ts";
import { routeMachine } from "../../src/machines/route.ts";
import { denials, drops, refusals } from "../../src/reasons.ts";
import { startTestDataplane } from "../support/dataplane.ts";
import { readExpression } from "../support/promql.ts";

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}
interface Groups {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

const rule = parse(read("deploy/alerts/turnpike.yaml")) as {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: Groups;
};
const rules = rule.spec.groups.flatMap((group) => group.rules);
const alerts = rules.map(({ alert, expr }): readonly [string, string] => [alert, expr]);
const panels = dashboard.panels as readonly {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}[];
const targets = panels.flatMap(({ title, targets: all = [] }) => all.map((one) => ({ title, ...one })));
const queries = [...alerts, ...targets.map(({ title, expr }): readonly [string, string] => [title, expr])];

/** Labels that whoever scrapes gives to every series. */
const ofTarget = ["job", "instance"];

const labelsOf = async (): Promise<ReadonlyMap<string, readonly string[]>> => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const known = new Map<string, readonly string[]>();
  for (const { name } of await registry.getMetricsAsJSON()) known.set(name, []);
  for (const { name, labels } of [...metrics, ...operatorMetrics]) {
    known.set(name, labels);
    if (name.endsWith("_time_seconds"))
      for (const suffix of ["bucket", "sum", "count"])
        known.set(`${name}_${suffix}`, suffix === "bucket" ? [...labels, "le"] : labels);
  }
  return known;
};

/** What a label can say, where that is known. */
const valuesOf = (metric: string, label: string): readonly string[] | undefined => {
  const machine = {
    turnpike_gateways: gatewayMachine,
    turnpike_listeners: listenerMachine,
    turnpike_routes: routeMachine,
    turnpike_endpoints: endpointMachine,
  }[metric];
  if (label === "state" && machine !== undefined) return Object.keys(machine.config.states ?? {});
  if (label === "code") return Object.keys(errors);
  if (label === "outcome") return ["completed", "failed"];
  if (label !== "reason") return undefined;
  const tables: Readonly<Record<string, object>> = {
    turnpike_peers_denied_total: denials,
    turnpike_requests_refused_total: refusals,
    turnpike_authentication_failures_total: refusals,
    turnpike_packets_dropped_total: drops,
  };
  return tables[metric] && Object.keys(tables[metric]);
};

describe("an expression", () => {
  it.each(queries)("of %s uses existing metrics, labels and values", async (_, expression) => {
    const known = await labelsOf();
    const { selectors, groupedBy } = readExpression(expression);
    expect(selectors.length).toBeGreaterThan(0);
    const labels = new Set(ofTarget);
    for (const { metric, matchers } of selectors) {
      const own = known.get(metric);
      expect(own, `there is no ${metric}`).toBeDefined();
      for (const label of own!) labels.add(label);
      for (const { label, operator, value } of matchers) {
        expect([...own!, ...ofTarget], `${metric} has no ${label}`).toContain(label);
        const values = valuesOf(metric, label);
        if (values === undefined) continue;
        for (const one of operator.includes("~") ? value.split("|") : [value]) expect(values).toContain(one);
      }
    }
    for (const label of groupedBy) expect([...labels]).toContain(label);
  });

  it("that is invalid, or uses unknown names, is detected", () => {
    expect(() => readExpression("sum(rate(x[5m])")).toThrow("no PromQL");
    expect(() => readExpression('x{a="b"} >')).toThrow("no PromQL");
    expect(readExpression('sum by (c) (rate(x{a=~"b|c",d!="e"}[$__rate_interval])) / y')).toEqual({
      selectors: [
        {
          metric: "x",
          matchers: [
            { label: "a", operator: "=~", value: "b|c" },
            { label: "d", operator: "!=", value: "e" },
          ],
        },
        { metric: "y", matchers: [] },
      ],
      groupedBy: ["c"],
    });
  });
});

describe("the dashboard", () => {
  it("is what scripts/dashboard.ts writes (npm run docs)", () => {
    expect(read("deploy/dashboards/turnpike.json")).toBe(dashboardText);
  });

  it("has panels with names of their own, none over another, and legends of labels that the series have", () => {
    const places = panels.map((panel) => (panel as unknown as { gridPos: { x: number; y: number } }).gridPos);
    expect(new Set(places.map(({ x, y }) => `${x} ${y}`)).size).toBe(panels.length);
    const inRow = panels.filter(({ type }) => type !== "row");
    expect(inRow.length).toBeGreaterThan(25);
    for (const { expr, legendFormat } of targets) {
      const { selectors, groupedBy } = readExpression(expr);
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        const own = selectors.flatMap(({ metric }) => metrics.find(({ name }) => name === metric)?.labels ?? []);
        const isAggregated = /\b(sum|min|max|count)\b/.test(expr);
        expect(isAggregated ? groupedBy : [...own, ...ofTarget], expr).toContain(label);
      }
    }
  });
});

describe("an alert", () => {
  const guide = read("docs/guides/monitoring.md");
  const anchors = [...guide.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );

  it.each(rules)(
    "$alert says what is the case, what to do, and how bad it is",
    ({ alert, expr, labels, annotations, ...rest }) => {
      expect(alert).toMatch(/^Turnpike[A-Z][A-Za-z]+$/);
      expect(["critical", "warning", "info"]).toContain(labels["severity"]);
      expect(annotations["summary"]).toMatch(/^[A-Z].{10,}[^.]$/);
      expect(annotations["description"]?.length).toBeGreaterThan(40);
      const [page, anchor = ""] = annotations["runbook_url"]?.split("#") ?? [];
      expect(page).toBe("docs/guides/monitoring.md");
      expect(anchor).toBe(alert.toLowerCase());
      expect(anchors).toContain(anchor);
      if (rest.for !== undefined) expect(rest.for).toMatch(/^\d+[mh]$/);
      // What a description shows must be left of the expression.
      const { groupedBy, selectors } = readExpression(expr);
      const shown = [...annotations["description"]!.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
      const kept = groupedBy.length > 0 ? groupedBy : ofTarget;
      for (const label of shown) expect([...kept]).toContain(label);
      expect(selectors.length).toBeGreaterThan(0);
    },
  );

  it("has a place in the guide, and the guide has no other", () => {
    const documented = [...guide.matchAll(/^### (Turnpike\w+)$/gm)].map(([, name]) => name);
    expect(documented.toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  });

  it("is the same in the plain rule file", () => {
    expect(rule).toMatchObject({ apiVersion: "monitoring.coreos.com/v1", kind: "PrometheusRule" });
    expect(parse(read("deploy/alerts/turnpike.rules.yaml"))).toEqual(rule.spec);
  });
});

describe("a metric", () => {
  const table = [...metrics, ...operatorMetrics].map(({ name, labels, help }) => ({ name, labels, help }));

  it.each(table)("$name is named as Prometheus wants it", ({ name, labels, help }) => {
    expect(name).toMatch(/^(turnpike|stunner)_[a-z]+(_[a-z]+)*$/);
    expect(help).toMatch(/^[A-Z0-9].*\.$/);
    for (const label of labels) expect(label).toMatch(/^[a-z_]+$/);
    expect(name).not.toMatch(/_(ms|milliseconds|minutes|hours|kb|mb|kib|mib|bits)(_|$)/);
    if (/seconds|bytes/.test(name)) expect(name).toMatch(/_(seconds|bytes)(_total)?$/);
    if (name.includes("timestamp")) expect(name).toMatch(/_timestamp_seconds$/);
    if (/^(When|How often|What could not)/.test(help) && !name.includes("timestamp")) expect(name).toMatch(/_total$/);
  });

  it("of the table is exported by a process that relays, with its type, and no other is", async () => {
    const here = await startTestDataplane({}, { admin: true });
    const text = await (await fetch(`http://127.0.0.1:${here.dataplane.admin?.port}/metrics`)).text();
    await here.stop();
    const told = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
    for (const { name } of metrics) expect(told.get(name), name).toBe(name.endsWith("_total") ? "counter" : "gauge");
    const ours = [...told.keys()].filter((name) => /^(turnpike|stunner)_/.test(name!));
    expect(ours.toSorted()).toEqual(metrics.map(({ name }) => name).toSorted());
    expect(text).toMatch(/^turnpike_watch_connected 1$/m);
    expect(text).toMatch(/^turnpike_gateway_config_timestamp_seconds\{gateway="media\/gateway"\} \d+/m);
    expect(text).toMatch(/^turnpike_journal_disk_refused 0$/m);
  });
});
