import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const main = fileURLToPath(new URL("main.ts", import.meta.url));

/** Nothing listens there: a command that gets that far ends with another message. */
const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  spawnSync(process.execPath, [main, "operator", "--kubeconfig", "/nonexistent", ...args], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });

it.each([
  ["a certificate without its key", ["--config-discovery-cert-file", "/tls.crt"], "go together"],
  ["a key without its certificate", ["-config-discovery-key-file=/tls.key"], "go together"],
  ["a token file that is not there", ["--config-discovery-token-file", "/nonexistent"], "discovery-file"],
])("refuses %s", (_, args, message) => {
  const { status, stderr } = run(args);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain("    at ");
  expect(status).not.toBe(0);
});

it.each([
  ["by the flag", ["--dataplane-mode", "lagacy"], {}],
  ["by the environment", [], { STUNNER_GATEWAY_OPERATOR_DATAPLANE_MODE: "lagacy" }],
])("rejects an unknown dataplane mode, given %s", (_, args, env) => {
  const { status, stderr } = run(args, env);
  expect(stderr).toContain("dataplane mode lagacy: there are managed and legacy");
  expect(status).toBe(2);
});

it.each([
  ["in any case", ["-dataplane-mode=Legacy"], {}],
  ["over the environment", ["-dataplane-mode=legacy"], { STUNNER_GATEWAY_OPERATOR_DATAPLANE_MODE: "lagacy" }],
])("takes a dataplane mode %s", (_, args, env) => expect(run(args, env).stderr).toContain("/nonexistent"));

it.each(["discovery:13478:13478", "http://discovery", "two words"])(
  "refuses to hand the address %s to pods",
  (address) => {
    const { status, stderr } = run([], { STUNNER_GATEWAY_OPERATOR_ADDRESS: address });
    expect(stderr).toMatch(/STUNNER_GATEWAY_OPERATOR_ADDRESS ".*": expected HOST, HOST:PORT/);
    expect(status).toBe(2);
  },
);

it.each(["discovery", "1:2:3:4", ":99999", "host:port"])("refuses to bind the discovery service to %s", (address) => {
  const { status, stderr } = run(["--config-discovery-address", address]);
  expect(stderr).toMatch(/--config-discovery-address.*expected HOST:PORT or :PORT/);
  expect(status).toBe(2);
});

it.each([
  ["by the flag", ["--cluster-domain=Cluster.local."], {}],
  ["by the environment", [], { STUNNER_GATEWAY_OPERATOR_CLUSTER_DOMAIN: "Cluster.local." }],
])("rejects a cluster domain that is not a DNS name, given %s", (_, args, env) => {
  const { status, stderr } = run(args, env);
  expect(stderr).toMatch(/--cluster-domain.*expected a DNS name/);
  expect(status).toBe(2);
});

it("warns outside a cluster that managed dataplanes cannot find it, and goes on", () => {
  const { stderr } = run([], { STUNNER_GATEWAY_OPERATOR_ADDRESS: "" });
  expect(stderr).toContain('"code":"discovery-address"');
  expect(stderr).toContain("http://:13478");
  expect(run([], { STUNNER_GATEWAY_OPERATOR_ADDRESS: "discovery.ns.svc" }).stderr).not.toContain("discovery-address");
  expect(run(["--dataplane-mode=legacy"]).stderr).not.toContain("discovery-address");
});

it("refuses to start in a cluster where managed dataplanes cannot find it", () => {
  const { status, stderr } = spawnSync(process.execPath, [main, "operator"], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", KUBERNETES_SERVICE_HOST: "192.0.2.1" },
  });
  expect(stderr).toContain("discovery-address");
  expect(stderr).toContain("STUNNER_GATEWAY_OPERATOR_ADDRESS");
  expect(status).not.toBe(0);
});
