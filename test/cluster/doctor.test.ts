/** `turnpike doctor` on a real API server: without CRDs, with everything in pods, and with one thing missing. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Diagnosis } from "../../src/doctor/doctor.ts";
import { turnpike } from "../support/commands.ts";
import { eventually } from "../support/eventually.ts";
import { definitions } from "../../scripts/resources-page.ts";
import type { Literal } from "./client.ts";
import { startCluster } from "./cluster.ts";
import { writeKubeconfig } from "./credentials.ts";
import { useMediaStage } from "./media-stage.ts";
import { DATAPLANE, MEDIA, meta, NAMESPACE } from "./media-world.ts";

interface Examined {
  readonly code: number | string;
  readonly checks: readonly Diagnosis[];
}

const doctor = async (kubeconfig: string, ...args: readonly string[]): Promise<Examined> => {
  const { code, stdout, stderr } = await turnpike(["doctor", "--kubeconfig", kubeconfig, "-o", "json", ...args]);
  expect(stderr).not.toContain(" at ");
  return { code, ...(JSON.parse(stdout) as { readonly checks: readonly Diagnosis[] }) };
};

const outcomes = ({ checks }: Examined): Readonly<Record<string, string>> =>
  Object.fromEntries(checks.map(({ check, outcome }) => [check, outcome]));

const found = ({ checks }: Examined): readonly string[] =>
  checks.flatMap(({ problems }) => problems.map(({ code, object, says }) => `${code} ${object}: ${says}`));

describe("turnpike doctor in an empty cluster", () => {
  it("names the missing CRDs first, and skips what depends on them", async () => {
    const cluster = await startCluster({ gatewayApi: "none" });
    try {
      for (const { spec } of definitions)
        await cluster.client.delete({
          apiVersion: "apiextensions.k8s.io/v1",
          kind: "CustomResourceDefinition",
          metadata: { name: `${spec.names.plural}.${spec.group}` },
        });
      const examined = await eventually(async () => {
        const now = await doctor(cluster.kubeconfig);
        expect(found(now)).toHaveLength(6);
        return now;
      });
      expect(examined.code).toBe(1);
      expect(outcomes(examined)).toEqual({
        "api-server": "ok",
        crds: "failed",
        operator: "skipped",
        "gateway-class": "skipped",
        gateways: "skipped",
        routes: "skipped",
        dataplanes: "skipped",
        configs: "skipped",
        calls: "skipped",
      });
      expect(found(examined)).toEqual([
        "gateway-api-missing CustomResourceDefinition/gatewayclasses.gateway.networking.k8s.io: it does not exist",
        "gateway-api-missing CustomResourceDefinition/gateways.gateway.networking.k8s.io: it does not exist",
        "crd-missing CustomResourceDefinition/gatewayconfigs.stunner.l7mp.io: it does not exist",
        "crd-missing CustomResourceDefinition/udproutes.stunner.l7mp.io: it does not exist",
        "crd-missing CustomResourceDefinition/staticservices.stunner.l7mp.io: it does not exist",
        "crd-missing CustomResourceDefinition/dataplanes.stunner.l7mp.io: it does not exist",
      ]);
      const limited = join(cluster.directory, "limited");
      writeKubeconfig(limited, { url: cluster.url, ca: cluster.ca, token: "wrong" });
      expect(found(await doctor(limited))).toEqual([expect.stringMatching(/^api-unreachable https:.*: Unauthorized$/)]);
      const { status } = await cluster.client.request<{ readonly status: { readonly token: string } }>(
        "/api/v1/namespaces/default/serviceaccounts/default/token",
        { method: "POST", body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} } },
      );
      writeKubeconfig(limited, { url: cluster.url, ca: cluster.ca, token: status.token });
      expect(found(await doctor(limited))).toContainEqual(
        expect.stringMatching(/^read-forbidden secrets: it cannot be listed: .*cannot list resource "secrets"/),
      );
      const { stdout } = await turnpike(["doctor", "--kubeconfig", cluster.kubeconfig]);
      expect(stdout).toMatch(/^skipped {2}Operator \(CRDs failed\)$/m);
    } finally {
      await cluster.stop();
    }
  });
});

describe("turnpike doctor in an installation", () => {
  const stage = useMediaStage();

  const service = { apiVersion: "v1", kind: "Service", metadata: meta("gateway") };
  /** What the chart installs, with another program in its pod: the operator itself runs in this process. */
  const operator: readonly Literal[] = [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { ...meta("turnpike"), labels: { "app.kubernetes.io/part-of": "turnpike" } },
      spec: {
        selector: { matchLabels: { app: "turnpike" } },
        template: {
          metadata: { labels: { app: "turnpike", "app.kubernetes.io/component": "operator" } },
          spec: {
            containers: [
              {
                name: "operator",
                image: "example.org/turnpike",
                command: ["media-server"],
                args: ["--controller-name=stunner.l7mp.io/gateway-operator", "--leader-election-id=turnpike"],
              },
            ],
          },
        },
      },
    },
    {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: meta("turnpike"),
      spec: { holderIdentity: "turnpike-1", leaseDurationSeconds: 15 },
    },
  ];

  it("finds what is missing until a test allocation succeeds, and names what is removed afterwards", async () => {
    const { cluster } = stage;
    const [dataplane] = await stage.ready(DATAPLANE, 1);
    const peers = await stage.ready(MEDIA, 2);
    await stage.serves(...peers);
    const event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: meta("no-balancer"),
      involvedObject: { apiVersion: "v1", kind: "Service", name: "gateway", namespace: NAMESPACE },
      reason: "SyncLoadBalancerFailed",
      message: "no more addresses",
      type: "Warning",
    };
    await cluster.client.apply(event);

    const pending = await doctor(cluster.kubeconfig);
    expect(found(pending)).toEqual([
      expect.stringMatching(/^operator-outside GatewayClass\/media: /),
      "address-pending Service/media/gateway: its load balancer has no address: SyncLoadBalancerFailed: no more addresses",
    ]);
    expect(outcomes(pending)).toMatchObject({ gateways: "failed", routes: "ok", dataplanes: "ok", calls: "skipped" });
    expect(pending.code).toBe(1);

    await cluster.client.patchStatus(service, { loadBalancer: { ingress: [{ ip: stage.address(dataplane!) }] } });
    await stage.apply(...operator);
    await stage.ready("app=turnpike", 1);
    const complete = await eventually(async () => {
      const now = await doctor(cluster.kubeconfig);
      expect(found(now)).toEqual([]);
      return now;
    });
    expect(new Set(Object.values(outcomes(complete)))).toEqual(new Set(["ok"]));
    expect(complete.code).toBe(0);
    const { stdout } = await turnpike(["doctor", "--kubeconfig", cluster.kubeconfig]);
    expect(stdout).toMatch(/^ok {7}Operator: media\/turnpike: 1 of 1 pod ready, Lease held by turnpike-1$/m);
    expect(stdout).toMatch(
      /media\/gateway\/udp: turn:[\d.]+:3478\?transport=udp: allocated [\d.]+:\d+, permission for 10\./,
    );
    expect(stdout).toMatch(/media\/gateway\/tcp: turn:[\d.]+:3478\?transport=tcp: allocated /);
    expect(stdout).not.toContain("pass-1");

    const uncalled = await doctor(cluster.kubeconfig, "--no-call", "--gateway", "media/gateway");
    expect(outcomes(uncalled)).toMatchObject({ gateways: "ok", calls: "skipped" });
    const other = await doctor(cluster.kubeconfig, "--gateway", "other", "-n", NAMESPACE);
    expect(found(other)).toEqual(["no-gateway Gateway/media/other: it does not exist, or is not of this controller"]);

    await cluster.client.delete({
      apiVersion: "stunner.l7mp.io/v1",
      kind: "GatewayConfig",
      metadata: meta("config"),
    });
    const broken = await doctor(cluster.kubeconfig);
    expect(found(broken)).toEqual(["class-invalid GatewayClass/media: GatewayConfig media/config not found"]);
    expect(outcomes(broken)).toMatchObject({ operator: "ok", "gateway-class": "failed", calls: "skipped" });
    expect(broken.code).toBe(1);
  });
});
