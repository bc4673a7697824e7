/** What an operator of the gateway does with it on a real cluster: asks, looks, tests, uninstalls. */
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Diagnosis } from "../../src/doctor/doctor.ts";
import { inventoryOf } from "../chart/inventory.ts";
import { turnpike } from "../support/commands.ts";
import { eventually } from "../support/eventually.ts";
import { useCalls } from "./calls.ts";
import { IMAGE } from "./image.ts";
import { mediaServers, NAMESPACE, SYSTEM, useStage } from "./stage.ts";
import { base, gatewayWith, routeTo } from "./world.ts";

const stage = useStage();
const { kubectl } = stage;
const calls = useCalls(stage, "calls of users who are acted on");

beforeAll(async () => {
  await stage.apply(...base, gatewayWith("gateway", ["udp"]), routeTo("gateway", "media"), ...mediaServers("media", 1));
  await stage.ready("app=media", 1);
  await stage.ready("app=stunner", 1);
  await stage.addressed("gateway");
});

/** Forwards a port of `what` to this machine. @returns `HOST:PORT`. */
const forward = async (namespace: string, what: string, port: number): Promise<string> => {
  const [program = "", ...args] = stage.nodes.kubectl;
  const all = [...args, "port-forward", "--namespace", namespace, what, `:${port}`];
  const child = spawn(program, all, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(async () => {
    child.kill();
    await once(child, "exit");
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [, at] = /^Forwarding from (127\.0\.0\.1:\d+)/.exec(line) ?? [];
    if (at !== undefined) return at;
  }
  throw new Error(`${what} could not be reached`);
};

describe("pods", () => {
  it("run as nobody in particular, without capabilities, filtered by seccomp", async () => {
    const [dataplane] = await stage.ready("app=stunner", 1);
    const status = await kubectl(
      "exec",
      "--namespace",
      NAMESPACE,
      dataplane!.metadata.name,
      "--",
      "node",
      "-e",
      `
      const { readFileSync, writeFileSync } = require("node:fs");
      const status = readFileSync("/proc/self/status", "utf8");
      const of = (name) => new RegExp("^" + name + ":\\\\s+(\\\\S+)", "m").exec(status)[1];
      console.log(JSON.stringify({ uid: of("Uid"), effective: of("CapEff"), bounding: of("CapBnd"), seccomp: of("Seccomp"), privileges: of("NoNewPrivs") }));
    `,
    );
    expect(JSON.parse(status)).toEqual({
      uid: "65532",
      effective: "0000000000000000",
      bounding: "0000000000000000",
      seccomp: "2",
      privileges: "1",
    });
  });

  it("are ready by their probes, and told apart from those that are not", async () => {
    const [dataplane] = await stage.ready("app=stunner", 1);
    const at = await forward(NAMESPACE, `pod/${dataplane!.metadata.name}`, 8086);
    for (const path of ["live", "ready"]) expect((await fetch(`http://${at}/${path}`)).status).toBe(200);
  });
});

describe("a user", () => {
  it("reaches the page by kubectl port-forward", async () => {
    const at = await forward(SYSTEM, "deployment/turnpike", 8086);
    const page = await fetch(`http://${at}/`);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("<title>Turnpike");
  });

  it("asks the operator's log what became of a Gateway, and why a peer is refused", async () => {
    const log = "/var/lib/turnpike";
    const exec = (...args: readonly string[]) =>
      kubectl("exec", "--namespace", SYSTEM, "deployment/turnpike", "--", "turnpike", ...args).catch(
        // Its exit code says whether all is well.
        ({ stdout }: { readonly stdout: string }) => stdout,
      );
    expect(await exec("log", log, "--type", "transition")).toContain(`gateway ${NAMESPACE}/gateway`);
    expect(await exec("explain", `gateway/${NAMESPACE}/gateway`, "--journal", log)).toContain(`${NAMESPACE}/gateway`);
    const [media] = await stage.ready("app=media", 1);
    const asked = ["--gateway", `${NAMESPACE}/gateway`, "--journal", log];
    expect(await exec("explain", media!.status.podIP, ...asked)).toMatch(/ is reachable/);
    expect(await exec("explain", "10.244.77.7", ...asked)).toMatch(/ is not reachable/);
  });

  it("finds nothing wrong with the installation by doctor", async () => {
    const args = ["doctor", "--kubeconfig", stage.cluster.kubeconfig, "--no-call", "-o", "json"];
    const { stdout, stderr, code } = await turnpike(args);
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    const { checks } = JSON.parse(stdout) as { readonly checks: readonly Diagnosis[] };
    expect(checks.flatMap(({ problems }) => problems)).toEqual([]);
    expect(checks.filter(({ outcome }) => outcome !== "ok").map(({ check }) => check)).toEqual(["calls"]);
    expect(checks.find(({ check }) => check === "operator")?.says).toMatch(
      /^turnpike-system\/turnpike: 1 of 1 pod ready, Lease held by turnpike-/,
    );
  });

  it("sees by status what a Gateway serves", async () => {
    const { stdout, stderr, code } = await turnpike([
      "status",
      `${NAMESPACE}/gateway`,
      "--kubeconfig",
      stage.cluster.kubeconfig,
    ]);
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    expect(stdout).toContain("udp");
  });

  it("blocks somebody and lets them call again, by the rights that the kubeconfig has", async () => {
    const { address } = await stage.addressed("gateway");
    const [media] = await stage.ready("app=media", 1);
    const peer = media!.status.podIP;
    const through = { host: address, port: 3478 };
    const order = (action: string) =>
      turnpike([
        action,
        "user-1",
        `${NAMESPACE}/gateway`,
        "--reason",
        "4711",
        "--kubeconfig",
        stage.cluster.kubeconfig,
      ]);
    const call = await calls.begin("a user who is blocked", through, peer);
    await call.flows(50);
    expect(await order("block")).toMatchObject({ code: 0, stdout: `${NAMESPACE}/gateway: user-1 blocked\n` });
    await eventually(async () => expect(await calls.refusal(through, peer)).toBe(403), 100);
    await call.endsCut();
    const log = ["deployment/turnpike", "--", "turnpike", "log", "/var/lib/turnpike", "--type", "transition"];
    expect(await kubectl("exec", "--namespace", SYSTEM, ...log)).toMatch(
      new RegExp(`user ${NAMESPACE}/gateway@user-1.*blocked.*by .*: 4711`),
    );
    expect(await order("unblock")).toMatchObject({ code: 0 });
    const again = await calls.begin("a user who was unblocked", through, peer);
    await again.flows(50);
    await again.endsWhole();
  });

  it("tests calls with icetest, by port-forward", async () => {
    const { stdout, stderr, code } = await turnpike([
      "icetest",
      "udp",
      "tcp",
      "--duration",
      "2s",
      "--timeout",
      "4m",
      "--output",
      "json",
      "--kubeconfig",
      stage.cluster.kubeconfig,
      "--ice-tester-image",
      IMAGE,
    ]);
    expect(stderr).not.toContain("error");
    expect(code).toBe(0);
    for (const one of JSON.parse(stdout) as readonly { readonly sent: number; readonly lost: number }[]) {
      expect(one.sent).toBeGreaterThan(50);
      expect(one.lost).toBe(0);
    }
  });
});

/** What the user made, and the API server for itself. */
const NOT_OURS = [
  /^(customresourcedefinitions|namespaces|apiservices)\b/,
  /^(gateways|udproutes|gatewayclasses|gatewayconfigs|secrets|deployments|replicasets|pods|services|endpoints|endpointslices|configmaps)\S* \S*\/(gateway-media|config|certificate|media\b.*|kube-root-ca\.crt)$/,
  /^gateways\S* media\/gateway$/,
];

it("an uninstallation leaves nothing of ours in the cluster", async () => {
  await stage.helm("uninstall", "turnpike", "--namespace", SYSTEM, "--wait");
  await eventually(async () => {
    const all = await inventoryOf(stage.cluster.client);
    const ours = all.filter((one) => / (turnpike-system|media)\/|turnpike|stunner/.test(one));
    expect(ours.filter((one) => !NOT_OURS.some((pattern) => pattern.test(one)))).toEqual([]);
  }, 500);
});
