/** `turnpike status` of dataplane pods: a live one, through an API server's port-forward and directly. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { turnpike } from "../support/commands.ts";
import { GATEWAY, startTestDataplane, type TestDataplane } from "../support/dataplane.ts";
import { startFakeCluster, type FakeCluster, type FakePod } from "../support/fake-cluster.ts";
import { freePort } from "../support/free-port.ts";

let relay: TestDataplane;
let cluster: FakeCluster;
let health: number;

const pod = (name: string, gateway: string, more: Partial<FakePod> = {}): FakePod => ({
  namespace: "media",
  name,
  labels: {
    app: "stunner",
    "stunner.l7mp.io/related-gateway-name": gateway,
    "stunner.l7mp.io/related-gateway-namespace": "media",
  },
  ports: { 8086: health },
  ...more,
});

beforeAll(async () => {
  health = await freePort("127.0.0.1");
  relay = await startTestDataplane({ admin: { healthcheck_endpoint: `http://127.0.0.1:${health}` } });
  cluster = await startFakeCluster();
  cluster.pods = [pod("gateway-1", "gateway"), pod("gateway-2", "gateway"), pod("other-1", "other", { ports: {} })];
});
afterAll(async () => {
  await relay.stop();
  await cluster.stop();
});

const status = (...args: readonly string[]) => turnpike(["status", ...args]);

describe("turnpike status", () => {
  it("shows every pod of a Gateway", async () => {
    const { code, stdout, stderr } = await status("gateway", "--kubeconfig", cluster.kubeconfig);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^POD +GATEWAY +STATUS +ALLOCATIONS +AUTH +REALM\n/);
    expect(stdout).toMatch(/^media\/gateway-1 +media\/gateway +READY +0 +static +stunner\.l7mp\.io$/m);
    expect(stdout).toMatch(/^media\/gateway-2 +media\/gateway +READY +0/m);
    expect(stdout).toMatch(
      /^media\/gateway\/udp +media\/gateway-1 +TURN-UDP +127\.0\.0\.1:\d+ +-:- +media\/peers +0 pkts 0 B +0 pkts 0 B$/m,
    );
    expect(stdout).toMatch(/^media\/peers +media\/gateway-2 +STATIC +UDP +127\.0\.0\.1 +0 pkts 0 B +0 pkts 0 B$/m);
  });

  it("gives the same as JSON and by jsonpath, without secrets", async () => {
    const args = ["gateway", "--pod-name", "gateway-2", "--kubeconfig", cluster.kubeconfig];
    const { stdout } = await status(...args, "-o", "json");
    const [first] = JSON.parse(stdout) as readonly unknown[];
    expect(first).toMatchObject({
      pod: "media/gateway-2",
      version: "v1",
      admin: { name: GATEWAY },
      auth: { type: "static", credentials: { username: "user-1", password: "********" } },
      allocationCount: 0,
      status: "READY",
    });
    expect((await status(...args, "-o", "jsonpath={[*].status}")).stdout).toBe("READY\n");
  });

  it("asks a pod directly", async () => {
    const { code, stdout } = await status("--pod-address", `127.0.0.1:${health}`, "-o", "jsonpath={[0].admin.name}");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "media/gateway\n" });
    const port = await status("--pod-address", "127.0.0.1", "--pod-port", String(health));
    expect(port.stdout).toContain("READY");
  });

  it("exits 1 where a pod does not answer, and shows the others", async () => {
    const { code, stdout, stderr } = await status("-A", "--kubeconfig", cluster.kubeconfig);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^media\/gateway-1 .*READY/m);
    expect(stdout).toMatch(/^media\/other-1 +- +no answer: /m);
    expect(stderr).toMatch(/^media\/other-1: no answer: /);
  });

  it("says that no such pods exist", async () => {
    const { code, stderr } = await status("nothing", "--kubeconfig", cluster.kubeconfig);
    expect(stderr).toBe(
      "turnpike: there is no dataplane pod of gateway media/nothing in namespace media (gateway-unknown)\n",
    );
    expect(code).toBe(1);
  });

  const stunnerctl = (...args: readonly string[]) =>
    turnpike(["-n", "media", "status", ...args, "--kubeconfig", cluster.kubeconfig], { as: "stunnerctl" });

  it("prints one JSON object for each pod as stunnerctl, and applies a jsonpath to each", async () => {
    const json = await stunnerctl("gateway", "-o", "json");
    expect({ code: json.code, stderr: json.stderr }).toEqual({ code: 0, stderr: "" });
    const statuses = json.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const fields = ["version", "admin", "auth", "listeners", "clusters", "allocationCount", "status"];
    expect(statuses.map((one) => Object.keys(one))).toEqual([fields, fields]);
    const name = await stunnerctl("gateway", "-o", "jsonpath={.admin.name}");
    expect(name).toEqual({ code: 0, stdout: `${GATEWAY}\n${GATEWAY}\n`, stderr: "" });
    const yaml = await stunnerctl("gateway", "-o", "yaml");
    expect(yaml.stdout.match(/^---$/gm)).toHaveLength(1);
    expect(yaml.stdout.match(/^version: v1$/gm)).toHaveLength(2);
  });

  it("refuses a missing field and prints nothing of no pods as stunnerctl", async () => {
    const missing = await stunnerctl("gateway", "-o", "jsonpath={.admin.nothing}");
    expect(missing).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/nothing is not found/) });
    for (const format of ["json", "yaml", "jsonpath={.admin.name}", "summary"])
      expect(await stunnerctl("none", "-o", format)).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("is the status of stunnerctl, in its words", async () => {
    const args = ["-n", "media", "status", "gateway", "--pod-name", "gateway-1", "--kubeconfig", cluster.kubeconfig];
    const { stdout } = await turnpike(args, { as: "stunnerctl" });
    expect(stdout.split("\n")).toEqual([
      "media/gateway-1:",
      `\tadmin:{id="media/gateway",logLevel="all:INFO",metrics="",health-check="http://127.0.0.1:${health}",quota=0,license-info={tier:free},offload=None[all]}`,
      '\tstatic-auth:{realm="stunner.l7mp.io",username="<SECRET>",password="<SECRET>"}',
      ...(["dtls", "tcp", "tls", "udp"] as const).map((transport) => {
        const secret = transport === "tls" || transport === "dtls" ? "<SECRET>/<SECRET>" : "-/-";
        return `\tlisteners:"media/gateway/${transport}":{turn://127.0.0.1:${relay.ports[transport]}?transport=TURN-${transport.toUpperCase()},public=:0,cert/key=${secret},routes=[media/peers]},offload(rx/tx): 0/0 pkts 0/0 bytes`;
      }),
      '\tclusters:"media/peers":{type="STATIC",protocol="UDP",endpoints=[127.0.0.1]},offload(rx/tx): 0/0 pkts 0/0 bytes',
      "\tallocs:0/status=READY",
      "",
    ]);
  });
});
