/** What the chart's autoscalers go by. (That the API server takes them: template.test.ts.) */
import { parseAllDocuments } from "yaml";
import { beforeAll, describe, expect, it } from "vitest";
import { coreMetrics } from "../../src/admin/core-metrics.ts";
import { relayMetrics } from "../../src/admin/relay-metrics.ts";
import { readExpression } from "../support/promql.ts";
import { chart, helmFor, type Helm } from "./helm.ts";

interface Autoscaler {
  readonly kind: string;
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: {
    readonly minReplicas?: number;
    readonly maxReplicas?: number;
    readonly metrics?: readonly {
      readonly pods: { readonly metric: { readonly name: string }; readonly target: unknown };
    }[];
    readonly behavior?: unknown;
    readonly advanced?: { readonly horizontalPodAutoscalerConfig: { readonly behavior: unknown } };
    readonly triggers?: readonly { readonly metadata: Readonly<Record<string, string>> }[];
  };
}

let helm: Helm;
beforeAll(async () => {
  helm = await helmFor();
});

const render = async (values: object): Promise<readonly Autoscaler[]> => {
  const autoscaling = JSON.stringify({ enabled: true, ...values });
  const only = ["--show-only", "templates/autoscaling.yaml"];
  const text = await helm("template", "release", chart, ...only, "--set-json", `autoscaling=${autoscaling}`);
  return parseAllDocuments(text).flatMap((document) =>
    document.contents === null ? [] : [document.toJS() as Autoscaler],
  );
};
const gateways = [{ namespace: "media", name: "gw" }];
const behavior = {
  scaleUp: { stabilizationWindowSeconds: 0 },
  scaleDown: { stabilizationWindowSeconds: 600, policies: [{ type: "Pods", value: 1, periodSeconds: 300 }] },
};
const target = (averageValue: string) => ({ type: "AverageValue", averageValue });

describe("a HorizontalPodAutoscaler of the chart", () => {
  it("goes by calls, and scales in slowly", async () => {
    const [found] = await render({ gateways });
    expect(found).toMatchObject({
      kind: "HorizontalPodAutoscaler",
      metadata: { namespace: "media", name: "gw" },
      spec: { scaleTargetRef: { kind: "Deployment", name: "gw" }, minReplicas: 2, maxReplicas: 10, behavior },
    });
    expect(found!.spec.metrics?.map(({ pods }) => [pods.metric.name, pods.target])).toEqual([
      ["stunner_allocations_active", target("500")],
    ]);
  });

  it("has the values of its Gateway, or those of all", async () => {
    const own = { namespace: "games", name: "gw", maxReplicas: 40, callsPerPod: 100, megabitsPerPod: 0 };
    const [first, second] = await render({ gateways: [...gateways, own], megabitsPerPod: 200, minReplicas: 3 });
    expect(first!.spec.metrics?.map(({ pods }) => [pods.metric.name, pods.target])).toEqual([
      ["stunner_allocations_active", target("500")],
      ["turnpike_listener_bits_per_second", target("200M")],
    ]);
    expect(second!.spec).toMatchObject({ minReplicas: 3, maxReplicas: 40 });
    expect(second!.spec.metrics?.map(({ pods }) => pods.target)).toEqual([target("100")]);
  });
});

describe("a ScaledObject of the chart", () => {
  it("goes by what its Gateway's pods export, without those that drain", async () => {
    const [found] = await render({ gateways, kind: "ScaledObject", megabitsPerPod: 200 });
    expect(found!.spec.advanced?.horizontalPodAutoscalerConfig.behavior).toEqual(behavior);
    const triggers = found!.spec.triggers!.map(({ metadata }) => metadata);
    expect(triggers.map(({ threshold }) => threshold)).toEqual(["500", "200000000"]);
    const exported = [...coreMetrics, ...relayMetrics].map(({ name }) => name);
    for (const { query, ignoreNullValues } of triggers) {
      const { selectors } = readExpression(query!);
      const [calls, draining] = selectors;
      expect(exported).toContain(calls!.metric);
      expect(calls!.matchers).toEqual([
        { label: "namespace", operator: "=", value: "media" },
        { label: "stunner_l7mp_io_related_gateway_name", operator: "=", value: "gw" },
      ]);
      expect(draining?.metric).toBe("turnpike_draining");
      expect(exported).toContain("turnpike_draining");
      // Without an answer the number of pods stays.
      expect(ignoreNullValues).toBe("false");
    }
  });
});
