import { describe, expect, it } from "vitest";
import {
  configOf,
  fixture,
  gateway1,
  listenerOf,
  optionsWith,
  owned,
  plus,
  render,
  TCP,
  UDP,
  withGatewayAnnotations,
  withConfigAnnotations,
  type Objects,
} from "../../test/render/fixture.ts";
import { createHistory, gone, seen } from "../../test/support/given.ts";
import { aCall, gateway } from "../../test/support/objects.ts";
import type { Service } from "../resources/core.ts";

const serviceOf = (spec: object, name = "site", namespace = "testnamespace"): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace },
  spec: { clusterIP: "10.96.0.7", ports: [{ port: 443 }], ...spec },
});

const annotated = (backends: string, service: unknown = serviceOf({}), more: Record<string, string> = {}): Objects =>
  withGatewayAnnotations(
    { "turnpike.dev/http-backends": backends, ...more },
    plus(owned(), ...(service === null ? [] : [service])),
  );
const version = (value: string) => ({ "turnpike.dev/http-backend-proxy-protocol": value });
const toSite = `{"${TCP}": "site:443"}`;

describe("the HTTP backend of a listener", () => {
  it.each([
    [toSite, {}, "10.96.0.7:443", "v2"],
    [`"${TCP}": "site:443"`, version(`{"${TCP}": "v1"}`), "10.96.0.7:443", "v1"],
    [toSite, version(`{"${TCP}": "none"}`), "10.96.0.7:443", "none"],
  ])("is the cluster address of the Service that %s names", (text, more, http_backend, proxy) => {
    const objects = annotated(text, undefined, more);
    expect(listenerOf(plus(objects, serviceOf({})), TCP)).toMatchObject({
      http_backend,
      http_backend_proxy_protocol: proxy,
    });
    expect(listenerOf(plus(objects, serviceOf({})), UDP)).not.toHaveProperty("http_backend");
  });

  it("may have an IPv6 address", () =>
    expect(listenerOf(annotated(toSite, serviceOf({ clusterIP: "fd00::7" })), TCP)).toMatchObject({
      http_backend: "[fd00::7]:443",
    }));

  it.each<[string, Objects, string]>([
    ["does not exist", annotated(toSite, null), "Service testnamespace/site not found"],
    [
      "is of another namespace",
      annotated(toSite, serviceOf({}, "site", "other")),
      "Service testnamespace/site not found",
    ],
    ["is headless", annotated(toSite, serviceOf({ clusterIP: "None" })), "has no cluster IP"],
    ["is elsewhere", annotated(toSite, serviceOf({ type: "ExternalName" })), "is of type ExternalName"],
    ["has another port", annotated(toSite, serviceOf({ ports: [{ port: 80 }] })), "has no TCP port 443"],
    [
      "has the port over UDP",
      annotated(toSite, serviceOf({ ports: [{ port: 443, protocol: "UDP" }] })),
      "has no TCP port 443",
    ],
    ["is an address", annotated(`{"${TCP}": "10.0.0.1:443"}`), "is not SERVICE:PORT"],
    ["names a namespace", annotated(`{"${TCP}": "other/site:443"}`), "is not SERVICE:PORT"],
    ["has no port", annotated(`{"${TCP}": "site"}`), "is not SERVICE:PORT"],
    ["has port 0", annotated(`{"${TCP}": "site:0"}`), "is not SERVICE:PORT"],
    ["is a number", annotated(`{"${TCP}": 443}`), "is not SERVICE:PORT"],
    ["is no JSON", annotated("{"), "is not a JSON object"],
    ["is a list", annotated('["site:443"]'), "is not a JSON object"],
    ["is of a listener over UDP", annotated(`{"${UDP}": "site:443"}`), "cannot be shared with HTTP"],
    [
      "has an unknown header",
      annotated(toSite, serviceOf({}), version(`{"${TCP}": "v3"}`)),
      "is not one of v2, v1, none",
    ],
  ])("is left out if it %s; the Gateway's status says so, and the listener serves", (_, objects, why) => {
    const { config, status } = render(objects);
    expect(config?.listeners?.map(({ name, http_backend }) => [name, http_backend])).toEqual([
      [`${gateway1}/${UDP}`, undefined],
      [`${gateway1}/${TCP}`, undefined],
    ]);
    expect(status.conditions[0]).toMatchObject({
      status: "True",
      message: expect.stringMatching(/ignored: turnpike\.dev\/http-backend/),
    });
    expect(status.conditions[0]?.message).toContain(why);
  });

  it("waits for an address that an API server assigns, which without a cluster nobody does", () => {
    const objects = annotated(toSite, serviceOf({ clusterIP: undefined }));
    expect(listenerOf(objects, TCP)).not.toHaveProperty("http_backend");
    expect(render(objects).status.conditions[0]?.message).not.toContain("ignored");
    const { status } = render(objects, optionsWith({ mode: "standalone" }));
    expect(status.conditions[0]?.message).toContain("Service testnamespace/site has no cluster IP");
  });

  it("is only what the Gateway itself says, and nothing in logs of earlier rules", () => {
    const elsewhere = withConfigAnnotations({ "turnpike.dev/http-backends": toSite }, plus(fixture, serviceOf({})));
    expect(listenerOf(elsewhere, TCP)).not.toHaveProperty("http_backend");
    expect(configOf(annotated(toSite), optionsWith({ rules: 2 })).listeners?.[1]).not.toHaveProperty("http_backend");
  });

  it("follows its Service", () => {
    const { core, take } = createHistory();
    const named = gateway("gw", [{ name: "tcp", port: 443, protocol: "TURN-TCP" }]);
    const annotations = { "turnpike.dev/http-backends": '{"tcp": "site:443"}' };
    const backend = (): string | undefined => core.rendered("ns/gw" as never)?.config?.listeners?.[0]?.http_backend;
    take(...aCall(), seen("Gateway", { ...named, metadata: { ...named.metadata, annotations } }));
    take({ type: "objects.synced", data: { objects: 0 } });
    expect(backend()).toBeUndefined();
    take(seen("Service", serviceOf({}, "site", "ns")));
    expect(backend()).toBe("10.96.0.7:443");
    take(seen("Service", serviceOf({ clusterIP: "10.96.0.8" }, "site", "ns")));
    expect(backend()).toBe("10.96.0.8:443");
    take(gone("Service", "ns/site"));
    expect(backend()).toBeUndefined();
  });
});
