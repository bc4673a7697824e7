import { expect, it } from "vitest";
import { noTraffic } from "./flows.ts";
import { Usage } from "./usage.ts";

it("reports by route what was relayed since the report before", () => {
  const usage = new Usage(1000);
  Object.assign(usage.of("ns/a"), { packetsIn: 3, bytesIn: 30 });
  usage.of("ns/unused");
  expect(usage.report()).toEqual({
    openedAt: 1000,
    report: 1,
    routes: [{ route: "ns/a", ...noTraffic(), packetsIn: 3, bytesIn: 30 }],
  });
  usage.of("ns/a").packetsIn += 1;
  usage.of("ns/a").bytesIn += 5;
  Object.assign(usage.of("ns/b"), { packetsOut: 2, bytesOut: 200 });
  expect(usage.report()).toEqual({
    openedAt: 1000,
    report: 2,
    routes: [
      { route: "ns/a", ...noTraffic(), packetsIn: 1, bytesIn: 5 },
      { route: "ns/b", ...noTraffic(), packetsOut: 2, bytesOut: 200 },
    ],
  });
  expect(usage.report()).toEqual({ openedAt: 1000, report: 3, routes: [] });
});
