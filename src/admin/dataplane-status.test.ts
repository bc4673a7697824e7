import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { readConfig } from "../discovery/document.ts";
import { nothingOpen } from "../dataplane/relay.ts";
import { dataplaneStatus } from "./dataplane-status.ts";

const GOLDEN = new URL("../../test/tools/golden/dataplane-status.json", import.meta.url);
const NOW = 1_700_000_000_123;
const NO_TRAFFIC = { listeners: [], clusters: [], open: nothingOpen };
const traffic = { bytesIn: 300, bytesOut: 200, packetsIn: 3, packetsOut: 2 };

const document = {
  version: "v1",
  admin: { name: "media/gateway", metrics_endpoint: "http://:8080/metrics", user_quota: 0 },
  auth: { type: "static", credentials: { username: "user-1", password: "hidden-1", extra: "hidden-2" } },
  listeners: [
    {
      name: "media/gateway/udp",
      protocol: "turn-udp",
      public_address: "192.0.2.1",
      public_port: 30_000,
      address: "10.0.0.1",
      port: 3478,
      routes: ["media/b", "media/a"],
    },
    {
      name: "media/gateway/a-tls",
      protocol: "TURN-TLS",
      address: "10.0.0.1",
      port: 443,
      cert: "hidden",
      key: "hidden",
    },
  ],
  clusters: [
    { name: "media/b", type: "STRICT_DNS", protocol: "TCP", endpoints: ["media.example.com"] },
    {
      name: "media/a",
      endpoints: ["2001:db8:0:0::1", "2001:db8:1::/32", "10.2.0.2:<5000-5001>", "10.1.2.3/16:<1-65535>"],
    },
  ],
};

const statusOf = (config: DataplaneConfig | undefined) => dataplaneStatus(config, NO_TRAFFIC, "READY", NOW);
const withAdmin = (admin: object) => statusOf(readConfig({ ...document, admin: { name: "a/b", ...admin } })).admin;

describe("/status of a dataplane", () => {
  it("has the names, the order and the JSON types that STUNner's tools decode", () => {
    const relay = {
      listeners: [{ gateway: "media/gateway", name: "media/gateway/udp", connections: 0, ...traffic }],
      clusters: [{ gateway: "media/gateway", name: "media/a", ...traffic }],
      open: nothingOpen,
    };
    const status = dataplaneStatus(readConfig(document), relay as never, "READY", NOW);
    const golden = readFileSync(GOLDEN, "utf8");
    expect(JSON.parse(JSON.stringify(status))).toEqual(JSON.parse(golden));
    expect(JSON.stringify(status)).toBe(JSON.stringify(JSON.parse(golden)));
  });

  it("has only strings in admin, and a quota with or without a limit", () => {
    expect(withAdmin({})["quota"]).toBe("0");
    expect(withAdmin({ user_quota: 7 })["quota"]).toBe("7");
    expect(withAdmin({ user_quota: -1 })["quota"]).toBe("0");
    expect(withAdmin({ offload_engine: "xdp", offload_interfaces: ["eth1", "eth0"] })["offload"]).toBe(
      "XDP[eth0,eth1]",
    );
    expect(withAdmin({ offload_engine: "TC" })["offload"]).toBe("TC[all]");
  });

  it("omits empty strings of admin", () => {
    expect(withAdmin({ metrics_endpoint: "", healthcheck_endpoint: "" })).toEqual({
      name: "a/b",
      loglevel: "all:INFO",
      quota: "0",
      offload: "None[all]",
      licensing_info: "{tier:free}",
    });
  });

  it("decodes before a config has arrived", () => {
    expect(statusOf(undefined)).toMatchObject({
      admin: { quota: "0" },
      auth: { credentials: {} },
      listeners: [],
      clusters: [],
    });
  });
});
