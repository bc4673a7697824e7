import { describe, expect, it } from "vitest";
import { configOf, fixture, patched, render } from "../../test/render/fixture.ts";

describe("a dataplane's own settings", () => {
  it("have a health check, no metrics and no offload by default", () =>
    expect(configOf().admin).toEqual({
      name: "testnamespace/gateway-1",
      loglevel: "testloglevel",
      healthcheck_endpoint: "http://:8086",
      offload_engine: "None",
    }));

  it("serve metrics and no health check if the Dataplane asks for that", () => {
    const quiet = patched(fixture, "GatewayConfig", { spec: { logLevel: null } });
    const objects = patched(quiet, "Dataplane", { spec: { enableMetricsEndpoint: true, disableHealthCheck: true } });
    expect(configOf(objects).admin).toEqual({
      name: "testnamespace/gateway-1",
      loglevel: "all:INFO",
      metrics_endpoint: "http://:8080/metrics",
      healthcheck_endpoint: "",
      offload_engine: "None",
    });
  });

  it("name the offload engine and its interfaces in order", () => {
    const objects = patched(fixture, "Dataplane", {
      spec: { offloadEngine: "xdp", offloadInterfaces: ["lo", "eth0"] },
    });
    expect(configOf(objects).admin).toMatchObject({ offload_engine: "XDP", offload_interfaces: ["eth0", "lo"] });
  });

  it("invalidate the Gateway if the offload engine is unknown", () => {
    const objects = patched(fixture, "Dataplane", { spec: { offloadEngine: "XDPX" } });
    expect(render(objects).invalid).toBe("unknown offload engine XDPX");
  });

  it("bound the allocations of a user where the GatewayConfig says so", () =>
    expect(configOf(patched(fixture, "GatewayConfig", { spec: { userQuota: 7 } })).admin.user_quota).toBe(7));

  it("keep a log level as it is written, angle brackets included", () =>
    expect(configOf(patched(fixture, "GatewayConfig", { spec: { logLevel: "a<b" } })).admin.loglevel).toBe("a<b"));
});
