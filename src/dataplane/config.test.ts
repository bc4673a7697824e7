import { describe, expect, it } from "vitest";
import type { DataplaneConfig, ListenerConfig } from "../resources/dataplane-config.ts";
import { listenerSteps, parseConfig } from "./config.ts";

const config = (changes: object = {}): DataplaneConfig => ({
  version: "v1",
  admin: { name: "ns/gw" },
  auth: { type: "static", realm: "r", credentials: { username: "u", password: "p" } },
  ...changes,
});

describe("parsing a config", () => {
  it("fills in defaults and brings names into canonical form", () => {
    const parsed = parseConfig(
      config({
        auth: { type: "longterm", credentials: { secret: "s" } },
        listeners: [
          { name: "l", protocol: "turn-tcp", routes: ["b", "a", "a"] },
          { name: "m", protocol: "udp" },
        ],
        clusters: [{ name: "c", type: "strict_dns", endpoints: ["name.example"] }, { name: "d" }],
      }),
    );
    expect(parsed).toMatchObject({
      name: "ns/gw",
      userQuota: 0,
      auth: { type: "ephemeral", realm: "stunner.l7mp.io" },
      listeners: [
        { name: "l", protocol: "TURN-TCP", port: 3478, address: "0.0.0.0", routes: ["a", "b"] },
        { name: "m", protocol: "TURN-UDP" },
      ],
      clusters: [
        { name: "c", type: "STRICT_DNS", protocol: "UDP" },
        { name: "d", type: "STATIC", endpoints: [] },
      ],
    });
  });

  it.each([
    [{ version: "v2" }, 'unsupported API version: "v2"'],
    [{ auth: { type: "oauth" } }, 'unknown authentication type: "oauth"'],
    [{ auth: { type: "constructor" } }, 'unknown authentication type: "constructor"'],
    [{ auth: { type: "static", credentials: { username: "u" } } }, "empty username or password"],
    [{ auth: { type: "ephemeral", credentials: {} } }, "secret"],
    [{ auth: { type: "ephemeral", credentials: { secret: "s", "secret.old": 7 } } }, "secret.old is not a string"],
    [
      {
        auth: {
          type: "ephemeral",
          credentials: {
            secret: "s",
            ...Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`secret.${n}`, "s"])),
          },
        },
      },
      'more than 7 credentials that begin with "secret."',
    ],
    [{ listeners: [{ protocol: "TURN-UDP" }] }, "listener: missing name"],
    [{ listeners: [{ name: "l", protocol: "SCTP" }] }, 'unknown listener protocol of l: "SCTP"'],
    [{ listeners: [{ name: "l", port: 70_000 }] }, "listener l: invalid port: 70000"],
    [
      { listeners: [{ name: "l", more_addresses: ["2001:db8::1", "turn.example.org"] }] },
      'listener l: more_addresses: "turn.example.org" is no IP address',
    ],
    [{ listeners: [{ name: "l" }, { name: "l" }] }, "listener l is there twice"],
    [
      { listeners: [{ name: "l", protocol: "udp", http_backend: "site:443" }] },
      "listener l: http_backend needs TURN-TCP or TURN-TLS, not TURN-UDP",
    ],
    [
      { listeners: [{ name: "l", protocol: "tls", http_backend: "site" }] },
      "listener l: http_backend: expected HOST:PORT",
    ],
    [
      { listeners: [{ name: "l", protocol: "tls", http_backend: "site:443", http_backend_proxy_protocol: "v3" }] },
      "listener l: http_backend_proxy_protocol: expected v2, v1, none",
    ],
    [{ listeners: [{ name: "l", certificates: [{ cert: "c", key: "k" }] }] }, "listener l: certificates without cert"],
    [
      { listeners: [{ name: "l", cert: "c", key: "k", certificates: [{ cert: "c" }] }] },
      "listener l: certificates[0] has no cert or no key",
    ],
    [{ clusters: [{ endpoints: [] }] }, "cluster: missing name"],
    [{ clusters: [{ name: "c", endpoints: ["1.2.3.4:99"] }] }, 'cluster c: "1.2.3.4:99" is no endpoint'],
    [{ clusters: [{ name: "c" }, { name: "c" }] }, "cluster c is there twice"],
    [{ clusters: {} }, "clusters is no list"],
  ])("refuses %j", (changes, message) => {
    expect(() => parseConfig(config(changes))).toThrow(
      expect.objectContaining({ code: "config-invalid", message: expect.stringContaining(message) }),
    );
  });
});

describe("the difference to the active config", () => {
  const listener = (name: string, changes: Partial<ListenerConfig> = {}): ListenerConfig => ({
    name,
    protocol: "TURN-UDP",
    address: "0.0.0.0",
    port: 3478,
    routes: ["a"],
    ...changes,
  });

  it.each([
    [{}, "keep"],
    [{ routes: ["b"] }, "update"],
    [{ public_port: 1 }, "update"],
    [{ public_address: "192.0.2.1" }, "update"],
    [{ port: 3479 }, "restart"],
    [{ protocol: "TURN-TCP" as const }, "restart"],
    [{ address: "192.0.2.1" }, "restart"],
    [{ more_addresses: ["2001:db8::1"] }, "restart"],
    [{ protocol: "TURN-TLS" as const }, "restart"],
    [{ cert: "another" }, "update"],
    [{ certificates: [{ cert: "further", key: "k" }] }, "update"],
    [{ http_backend: "site:443" }, "update"],
    [{ http_backend_proxy_protocol: "v1" as const }, "update"],
  ])("for a listener with %j is %s", (changes, step) => {
    expect(listenerSteps([listener("l")], [listener("l", changes)])).toMatchObject([{ step }]);
  });

  it("starts what is new or has failed, and stops what is gone, first", () => {
    const steps = listenerSteps(
      [listener("b"), listener("c")],
      [listener("a"), listener("b")],
      new Map([["b", "why"]]),
    );
    expect(steps.map(({ step, listener: { name } }) => `${step} ${name}`)).toEqual(["stop c", "start a", "start b"]);
  });
});
