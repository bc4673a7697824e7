import { Registry } from "@prometheus-io/client";
import { expect, it } from "vitest";
import { createOperatorMeter, operatorMetrics } from "./operator-metrics.ts";

const setUp = () => {
  const registry = new Registry();
  const meter = createOperatorMeter(registry);
  const scrape = async (): Promise<readonly string[]> =>
    (await registry.metrics()).split("\n").map((line) => line.replace("stunner_gateway_operator_", ""));
  return { meter, scrape };
};

it("counts what became of each write, and that a failed one succeeded at last", async () => {
  const { meter, scrape } = setUp();
  const key = "Service ns/gw";
  meter.wrote({ key, outcome: "error", isRetry: false, seconds: 0.1 });
  meter.wrote({ key, outcome: "error", isRetry: true, seconds: 0.1 });
  meter.wrote({ key, outcome: "created", isRetry: true, seconds: 0.1 });
  meter.wrote({ key, outcome: "unchanged", isRetry: false, seconds: 0.1 });
  meter.wrote({ key: "status GatewayUDPRoute/ns/r", outcome: "updated", isRetry: false, seconds: 0.1 });
  const lines = await scrape();
  const service = (operation: string): string =>
    `resource_operations_total{scope="spec",kind="Service",operation="${operation}"}`;
  expect(lines).toEqual(
    expect.arrayContaining([
      `${service("attempt")} 4`,
      `${service("error")} 2`,
      `${service("created")} 1`,
      `${service("retryPass")} 1`,
      `${service("suppressed")} 1`,
      'resource_operations_total{scope="status",kind="UDPRoute",operation="updatedStatusOnly"} 1',
      'update_total{result="success"} 3',
      'update_total{result="error"} 2',
      "update_errors_total 2",
      "update_time_seconds_count 5",
    ]),
  );
});

it("is behind with its acknowledgements until all is written", async () => {
  const { meter, scrape } = setUp();
  meter.folded(0.001);
  meter.folded(20);
  expect(await scrape()).toEqual(expect.arrayContaining(["generation 2", "generation_last_acked 0", "render_total 2"]));
  expect(await scrape()).toContain('render_time_seconds_bucket{le="10"} 1');
  meter.settled();
  expect(await scrape()).toContain("generation_last_acked 2");
});

it("documents each metric that it has", async () => {
  const names = (await setUp().scrape()).flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
  expect(names.toSorted()).toEqual(
    operatorMetrics.map(({ name }) => name.replace("stunner_gateway_operator_", "")).toSorted(),
  );
});
