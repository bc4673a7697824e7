/**
 * The recorded scenarios on a real API server: the operator's configs, objects and statuses. It may do what the chart lets
 * it do, and no more.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { startOperator, type Operator } from "../../src/runtime/operator.ts";
import type { DataplaneConfig } from "../../src/resources/dataplane-config.ts";
import { deviationsOf, expectedOf } from "../conformance/deviations.ts";
import { watchRefusals, type Refusals } from "../chart/refusals.ts";
import { rightsOf, type Access, type Rights } from "../chart/rights.ts";
import { optionsOf, scenarios, type Observed, type Scenario } from "../conformance/scenario.ts";
import { keepLog } from "../support/logs.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { GatewayApi } from "./crds.ts";
import { observeCluster, perform, type RouteVersion } from "./recorded.ts";
import { resetCluster } from "./reset.ts";
import { eventually } from "../support/eventually.ts";

/** Scenarios with UDPRoutes of Gateway API. */
const ofGatewayApi = scenarios.filter((one) => JSON.stringify(one).includes("gateway.networking.k8s.io/v1alpha2"));
/** Some of the others, that Gateways, routes and statuses are written without them, too. */
const someOthers = scenarios.filter((one) => !ofGatewayApi.includes(one)).filter((_, at) => at % 20 === 0);

interface Installation {
  readonly gatewayApi: GatewayApi;
  readonly routeVersion: RouteVersion;
  readonly played: readonly Scenario[];
}

const installations: readonly Installation[] = [
  { gatewayApi: "both", routeVersion: "v1alpha2", played: scenarios },
  { gatewayApi: "standard", routeVersion: "v1", played: [...ofGatewayApi, ...someOthers] },
  { gatewayApi: "v1alpha2", routeVersion: "v1alpha2", played: ofGatewayApi },
];

describe.each(installations)("with Gateway API: $gatewayApi", ({ gatewayApi, routeVersion, played }) => {
  let cluster: Cluster;
  let rights: Readonly<Record<"EndpointSlice" | "Endpoints", Rights>>;
  let refusals: Refusals;
  let access: Access | undefined;
  const outcome = { equal: 0, deviations: 0, different: 0 };

  beforeAll(async () => {
    cluster = await startCluster({ gatewayApi });
    rights = {
      EndpointSlice: await rightsOf(),
      Endpoints: await rightsOf({ endpointSource: "Endpoints" }),
    };
    refusals = watchRefusals(() => access?.token ?? "none");
  });
  afterAll(async () => {
    refusals?.stop();
    await cluster?.stop();
    console.log(
      `on a real API server, Gateway API ${gatewayApi}: ${outcome.equal} equal, ${outcome.deviations} deviations, ${outcome.different} different`,
    );
  });

  const configsOf = async (operator: Operator): Promise<readonly DataplaneConfig[]> => {
    const response = await fetch(`http://127.0.0.1:${operator.discovery.port}/api/v1/configs`);
    return response.ok ? ((await response.json()) as { readonly items: readonly DataplaneConfig[] }).items : [];
  };

  describe("the operator", () => {
    it.each(played)("$name", async (scenario) => {
      const root = mkdtempSync(join(tmpdir(), "turnpike-operator-"));
      const journal = join(root, "journal");
      await resetCluster(cluster.client);
      const options = optionsOf(scenario);
      const granted = rights[options.endpointSource];
      access = await granted.grant(cluster);
      refusals.clear();
      let operator: Operator | undefined;
      let lastConfigs: readonly DataplaneConfig[] = [];
      let deviates = false;
      let isEqual = false;

      /** What is there once it is as expected, or after a while as it is then. */
      const settled = async (expected: Observed): Promise<Observed> => {
        let observed: Observed | undefined;
        await eventually(async () => {
          if (operator !== undefined) lastConfigs = await configsOf(operator);
          observed = await observeCluster(cluster, lastConfigs, routeVersion);
          expect(isDeepStrictEqual(observed, expected)).toBe(true);
        }, 50).catch(() => undefined);
        return observed!;
      };

      try {
        for (const { stage, do: operations, expect: recorded } of scenario.stages) {
          for (const operation of operations) {
            if (!("terminate" in operation)) await perform(cluster.client, operation, routeVersion);
            else {
              const stopping = operator;
              operator = undefined;
              expect(await stopping?.stop("test")).toEqual([]);
              // Nobody serves configs now.
              lastConfigs = [];
            }
          }
          operator ??= operations.some((operation) => "terminate" in operation)
            ? undefined
            : await startOperator({
                kubeconfig: access.kubeconfig,
                lease: { namespace: granted.namespace, name: granted.lease },
                render: { ...options, discoveryAddress: "127.0.0.1:13478" },
                journal,
                discovery: { host: "127.0.0.1", port: 0 },
                finalizer: scenario.operatorArgs.includes("--enable-finalizer"),
                listWatch: { absentPauseMs: 200 },
                log: pino({ level: "silent" }),
              });
          const deviations = deviationsOf(scenario.name, stage);
          deviates ||= deviations.length > 0;
          const expected = expectedOf(recorded, deviations);
          const observed = await settled(expected);
          expect(observed, stage).toEqual(expected);
        }
        expect([...refusals.lacked]).toEqual([]);
        isEqual = true;
      } finally {
        if (!isEqual) outcome.different += 1;
        else if (deviates) outcome.deviations += 1;
        else outcome.equal += 1;
        if (!isEqual)
          console.log(
            operator?.state,
            [...readJournal(journal)]
              .slice(-12)
              .map((line) => `${line.seq} ${line.type} ${JSON.stringify(line.data).slice(0, 160)}`),
          );
        await operator?.stop("test");
      }
      expect(replay(readJournal(journal), digest).divergence).toBeUndefined();
      keepLog(journal);
      rmSync(root, { recursive: true });
    });
  });
});
