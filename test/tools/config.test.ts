/** `turnpike config` and `stunnerctl config`, from a discovery server: named, or found in a cluster. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startDiscovery, type DiscoveryServer } from "../../src/discovery/server.ts";
import type { DataplaneConfig } from "../../src/resources/dataplane-config.ts";
import { launch, turnpike } from "../support/commands.ts";
import { startFakeCluster, type FakeCluster } from "../support/fake-cluster.ts";

const PASSWORD = "a-password-to-look-for";

const configOf = (id: string, more: Partial<DataplaneConfig> = {}): DataplaneConfig => ({
  version: "v1",
  admin: { name: id, loglevel: "all:WARN" },
  auth: { type: "static", realm: "example.com", credentials: { username: "user-1", password: PASSWORD } },
  listeners: [
    {
      name: `${id}/udp`,
      protocol: "TURN-UDP",
      public_address: "1.2.3.4",
      public_port: 30_000,
      address: "$STUNNER_ADDR",
      port: 3478,
      routes: ["media/echo", "media/other"],
    },
    { name: `${id}/node`, protocol: "TURN-TCP", address: "__node_address_placeholder", port: 3479 },
  ],
  clusters: [
    { name: "media/echo", type: "STATIC", protocol: "UDP", endpoints: ["10.0.0.1", "10.0.0.2:<5000-5001>"] },
    { name: "media/other", type: "STRICT_DNS", protocol: "UDP", endpoints: ["media.example.com"] },
  ],
  ...more,
});

const SUMMARY = `Gateway: media/gateway (loglevel: "all:WARN")
Authentication type: static, username/password: user-1/********
Listeners:
  - Name: media/gateway/udp
    Protocol: TURN-UDP
    Relay address:port: <private-pod-ip-addr>:3478
    Public address:port: 1.2.3.4:30000
    Routes: [media/echo, media/other]
    Endpoints: [10.0.0.1, 10.0.0.2:<5000-5001>, media.example.com]
  - Name: media/gateway/node
    Protocol: TURN-TCP
    Relay address:port: <node-ip-addr>:3479
    Public address:port: <none>:<none>
    Routes: []
    Endpoints: []
`;

const ephemeral = { type: "ephemeral", realm: "example.com", credentials: { secret: PASSWORD } } as const;

let discovery: DiscoveryServer;
let cluster: FakeCluster;
let at: readonly string[];

beforeAll(async () => {
  discovery = await startDiscovery({ host: "127.0.0.1", port: 0, addressesOfNode: () => [], isReady: () => true });
  cluster = await startFakeCluster();
  at = ["--discovery", `127.0.0.1:${discovery.port}`];
});
beforeEach(() => {
  discovery.replace([
    configOf("media/gateway"),
    configOf("media/second", { auth: ephemeral }),
    configOf("default/third"),
  ]);
  cluster.pods = [
    {
      namespace: "turnpike",
      name: "operator-1",
      labels: { "stunner.l7mp.io/config-discovery-service": "enabled" },
      ports: { 13478: discovery.port },
    },
  ];
});
afterAll(async () => {
  await discovery.close();
  await cluster.stop();
});

describe("turnpike config", () => {
  it("shows a Gateway's config, without its secrets", async () => {
    expect(await turnpike(["config", "media/gateway", ...at])).toEqual({ code: 0, stdout: SUMMARY, stderr: "" });
    const json = await turnpike(["config", "gateway", "-n", "media", "-o", "json", ...at]);
    expect(json.stdout).not.toContain(PASSWORD);
    expect(JSON.parse(json.stdout)).toMatchObject({
      admin: { name: "media/gateway" },
      auth: { credentials: { username: "user-1", password: "********" } },
    });
  });

  it("reveals them when asked to", async () => {
    const template = "jsonpath={.auth.credentials.username}:{.auth.credentials.password}";
    const { stdout } = await turnpike(["config", "media/gateway", "--reveal", "-o", template, ...at]);
    expect(stdout).toBe(`user-1:${PASSWORD}\n`);
    expect((await turnpike(["config", "media/second", "--reveal", ...at])).stdout).toContain(
      `Authentication type: ephemeral, shared-secret: ${PASSWORD}\n`,
    );
  });

  it("shows all of a namespace, or of all of them", async () => {
    const names = ["-o", "jsonpath={.admin.name}"];
    expect((await turnpike(["config", ...names, ...at])).stdout).toBe("default/third\n");
    expect((await turnpike(["config", "-n", "media", ...names, ...at])).stdout).toBe("media/gateway\nmedia/second\n");
    const all = await turnpike(["config", "-A", "-o", "yaml", ...at]);
    expect(all.stdout.match(/^ {6}name: \S+\/(gateway|second|third)$/gm)).toHaveLength(3);
    expect(await turnpike(["config", "-n", "nowhere", ...at])).toMatchObject({
      code: 0,
      stderr: "there are no Gateways\n",
    });
  });

  it("follows changes, and says when a Gateway goes", async () => {
    const running = launch(["config", "media/gateway", "--watch", ...at]);
    await running.printed(/Gateway: media\/gateway \(loglevel: "all:WARN"\)/);
    discovery.set(
      "media/gateway",
      configOf("media/gateway", { admin: { name: "media/gateway", loglevel: "all:DEBUG" } }),
    );
    await running.printed(/Gateway: media\/gateway \(loglevel: "all:DEBUG"\)/);
    expect(running.output).toContain("<private-pod-ip-addr>:3478");
    discovery.set("media/gateway", undefined);
    await running.printed(/Gateway: media\/gateway <deleted>\n/);
    expect(await running.stop("SIGINT")).toBe(0);
    expect(running.output).not.toContain(PASSWORD);
  });

  it("finds the server in a cluster, and reaches it through the API server", async () => {
    const found = await turnpike(["config", "gateway", "--kubeconfig", cluster.kubeconfig]);
    expect(found).toEqual({ code: 0, stdout: SUMMARY, stderr: "" });
    expect(cluster.asked).toContain("/api/v1/namespaces/turnpike/pods/operator-1/portforward");
    const environment = { env: { KUBECONFIG: cluster.kubeconfig } };
    expect((await turnpike(["config", "gateway"], environment)).stdout).toBe(SUMMARY);
    const elsewhere = await turnpike(["config", "gateway", "--context", "elsewhere"], environment);
    expect(elsewhere.stderr).toMatch(/no config of gateway elsewhere\/gateway \(gateway-unknown\)/);
  });

  it("follows changes through the API server, also when the pod is replaced by another", async () => {
    const running = launch(["config", "gateway", "--watch", "--kubeconfig", cluster.kubeconfig]);
    await running.printed(/"all:WARN"/);
    cluster.pods = cluster.pods.map((pod) => ({ ...pod, name: "operator-2" }));
    cluster.cut();
    await running.printed(/^lost: /m);
    await running.printed(/^restored$/m);
    discovery.set(
      "media/gateway",
      configOf("media/gateway", { admin: { name: "media/gateway", loglevel: "all:TRACE" } }),
    );
    await running.printed(/"all:TRACE"/);
    expect(await running.stop("SIGINT")).toBe(0);
  });

  it("takes the replica that is ready, and says when there is none or when there are two", async () => {
    const [pod] = cluster.pods;
    const args = ["config", "gateway", "--kubeconfig", cluster.kubeconfig];
    cluster.pods = [{ ...pod!, name: "standby", isReady: false, ports: {} }, pod!];
    expect((await turnpike(args)).code).toBe(0);
    cluster.pods = [pod!, { ...pod!, name: "another" }];
    expect((await turnpike(args)).stderr).toMatch(
      /^turnpike: 2 ready pods have the label .* \(discovery-not-found\)\n$/,
    );
    cluster.pods = [];
    const none = await turnpike(args);
    expect(none.stderr).toMatch(/^turnpike: no running pod has the label .* \(discovery-not-found\)\n$/);
    expect(none.code).toBe(1);
  });

  it.each([
    [["config", "media/nothing"], 1, /no config of gateway media\/nothing \(gateway-unknown\)/],
    [["config", "a/b/c"], 2, /expected NAME or NAMESPACE\/NAME/],
    [["config", "-o", "xml"], 2, /expected table, json, yaml or jsonpath=TEMPLATE/],
    [["config", "media/gateway", "-o", "jsonpath={"], 2, /is not closed/],
    [["config", "--discovery", "ftp://x"], 2, /neither HOST:PORT nor/],
    [["config", "--discovery", "127.0.0.1:1"], 1, /ECONNREFUSED.*\(discovery-unreachable\)/],
    [["config", "--kubeconfig", "/nonexistent"], 1, /\/nonexistent/],
  ])("says what is wrong with %j", async (args, code, message) => {
    const ran = await turnpike(args.includes("--discovery") || args.includes("--kubeconfig") ? args : [...args, ...at]);
    expect(ran.stderr).toMatch(message);
    expect(ran.stderr).not.toMatch(/ at .*\.ts:/);
    expect(ran.code).toBe(code);
  });

  it("presents its token to a server that asks for one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "turnpike-token-"));
    const guarded = await startDiscovery({
      host: "127.0.0.1",
      port: 0,
      token: "let me in",
      addressesOfNode: () => [],
      isReady: () => true,
    });
    guarded.replace([configOf("media/gateway")]);
    writeFileSync(join(folder, "token"), "let me in\n");
    const args = ["config", "media/gateway", "--discovery", `127.0.0.1:${guarded.port}`];
    expect((await turnpike(args)).stderr).toMatch(/401 a bearer token is needed \(discovery-refused\)/);
    expect((await turnpike([...args, "--discovery-token-file", join(folder, "token")])).stdout).toBe(SUMMARY);
    await guarded.close();
    rmSync(folder, { recursive: true });
  });
});

describe("stunnerctl", () => {
  const stunnerctl = (...args: readonly string[]) => turnpike(args, { as: "stunnerctl" });
  const cds = (): readonly string[] => ["--cds-server-address=127.0.0.1", `--cds-server-port=${discovery.port}`];

  it("shows configs by its own flags, passwords and all", async () => {
    const { stdout } = await stunnerctl("-n", "media", "config", "gateway", ...cds());
    expect(stdout).toBe(SUMMARY.replace("********", PASSWORD));
    const path = "jsonpath={.auth.credentials.password}";
    expect((await stunnerctl("stunner-config", "gateway", "-n", "media", "-o", path, ...cds())).stdout).toBe(
      `${PASSWORD}\n`,
    );
    expect((await stunnerctl("config", "-a", "-o", "jsonpath={.admin.name}", ...cds())).stdout).toBe(
      "default/third\nmedia/gateway\nmedia/second\n",
    );
  });

  it.each([
    ["json", "stunnerctl-config.jsonl", ["-a"]],
    ["yaml", "stunnerctl-config.yaml", ["-a"]],
    ["json", "stunnerctl-config-one.jsonl", ["-n", "default"]],
    ["json", "stunnerctl-config-one.jsonl", ["third"]],
    ["jsonpath={.admin.name}: {.listeners[*].port}", "stunnerctl-config.txt", ["-a"]],
  ])("prints -o %s as %s, for %j", async (format, file, args) => {
    const golden = readFileSync(new URL(`golden/${file}`, import.meta.url), "utf8");
    expect(await stunnerctl("config", ...args, "-o", format, ...cds())).toEqual({
      code: 0,
      stdout: golden,
      stderr: "",
    });
  });

  it.each(["json", "yaml", "jsonpath={.admin.name}", "summary"])("prints nothing of nothing as %s", async (format) => {
    const none = { code: 0, stdout: "", stderr: "" };
    expect(await stunnerctl("config", "-n", "nowhere", "-o", format, ...cds())).toEqual(none);
    discovery.replace([]);
    expect(await stunnerctl("config", "-a", "-o", format, ...cds())).toEqual(none);
  });

  it.each([
    ["{.admin.missing}", "missing"],
    ["{.missing.name}", "missing"],
    ["{.listeners[7].name}", "7"],
    ["{.listeners[*].missing}", "missing"],
    ["{range .missing[*]}{.name}{end}", "missing"],
  ])("refuses the path %s, which a config does not have", async (path, name) => {
    const { code, stdout, stderr } = await stunnerctl("config", "-a", "-o", `jsonpath=${path}`, ...cds());
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(new RegExp(`^turnpike: jsonpath .*: ${name} is not found \\(field-missing\\)\n$`));
  });

  it("follows changes with one line of JSON each", async () => {
    const running = launch(["config", "third", "-w", "-o", "json", ...cds()], { as: "stunnerctl" });
    await running.printed(/"all:WARN"/);
    discovery.set(
      "default/third",
      configOf("default/third", { admin: { name: "default/third", loglevel: "all:TRACE" } }),
    );
    await running.printed(/"all:TRACE"/);
    await running.stop("SIGINT");
    const lines = running.stdout.trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as DataplaneConfig).admin.loglevel)).toEqual([
      "all:WARN",
      "all:TRACE",
    ]);
  });

  it("puts nothing between several results of a path, as STUNner's does", async () => {
    const path = ["-o", "jsonpath={.listeners[*].port}"];
    expect((await stunnerctl("config", "gateway", "-n", "media", ...path, ...cds())).stdout).toBe("34783479\n");
    expect((await turnpike(["config", "media/gateway", ...path, ...at])).stdout).toBe("3478 3479\n");
  });

  it("shows the licence that is not needed", async () => {
    const { stdout } = await stunnerctl("license", ...cds());
    expect(stdout).toBe("License status:\n\tSubscription type: free\n\tEnabled features: NONE\n\tLast updated: N/A\n");
  });

  it("knows no other commands", async () => {
    expect((await stunnerctl("nonsense")).code).toBe(2);
  });
});
