import { describe, expect, it } from "vitest";
import {
  fixture,
  owned,
  patched,
  plus,
  render,
  withConfigAnnotations,
  type Objects,
} from "../../test/render/fixture.ts";
import type { KubernetesObject } from "../resources/core.ts";
import { discoveryUrl } from "./workload.ts";

interface PodTemplate {
  readonly metadata: { readonly labels: object; readonly annotations: object };
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly containers: readonly Readonly<Record<string, unknown>>[];
  };
}

type Rendered = KubernetesObject & {
  readonly spec: { readonly replicas?: number; readonly selector: unknown; readonly template: PodTemplate };
};

const deploymentOf = (objects: Objects = fixture): Rendered => {
  const found = render(objects).objects.find(({ kind }) => kind === "Deployment");
  if (found === undefined) throw new Error("no Deployment");
  return found as Rendered;
};

const podOf = (objects: Objects): PodTemplate => deploymentOf(objects).spec.template;
const withDataplane = (spec: unknown): Objects => patched(fixture, "Dataplane", { spec });
const withMetadata = (metadata: unknown): Objects => patched(fixture, "Gateway", { metadata });

const podLabels = {
  app: "stunner",
  "stunner.l7mp.io/related-gateway-name": "gateway-1",
  "stunner.l7mp.io/related-gateway-namespace": "testnamespace",
};
const related = { "stunner.l7mp.io/related-gateway-name": "testnamespace/gateway-1" };

describe("the discovery address", () => {
  it.each([
    ["a port only", ":13478", "http://:13478"],
    ["IPv4 with a port", "1.2.3.4:8080", "http://1.2.3.4:8080"],
    ["IPv4 without a port", "1.2.3.4", "http://1.2.3.4:13478"],
    [
      "a name with a port",
      "stunner-config-discovery.default.svc:8080",
      "http://stunner-config-discovery.default.svc:8080",
    ],
    ["a name without a port", "stunner-config-discovery", "http://stunner-config-discovery:13478"],
    ["IPv6 without brackets or port", "2600:1f14:1e98:4505:14dc::9", "http://[2600:1f14:1e98:4505:14dc::9]:13478"],
    ["IPv6 with a port", "[2600:1f14::9]:13478", "http://[2600:1f14::9]:13478"],
    ["IPv6 in brackets without a port", "[2600:1f14::9]", "http://[2600:1f14::9]:13478"],
  ])("becomes a URL (%s)", (_, address, url) => {
    expect(discoveryUrl(address)).toBe(url);
    expect(discoveryUrl(address, true)).toBe(url.replace("http:", "https:"));
  });
});

describe("the Deployment of a Gateway", () => {
  it("runs the Dataplane's container", () => {
    const probe = (path: string): unknown => ({
      httpGet: { path, port: 8086, scheme: "HTTP" },
      periodSeconds: 15,
      timeoutSeconds: 1,
      successThreshold: 1,
      failureThreshold: 3,
    });
    const fromField = (fieldPath: string): unknown => ({ fieldRef: { apiVersion: "v1", fieldPath } });
    expect(deploymentOf()).toEqual({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: {
        name: "gateway-1",
        namespace: "testnamespace",
        labels: {
          "dummy-label": "dummy-value",
          "stunner.l7mp.io/owned-by": "stunner",
          "stunner.l7mp.io/related-gateway-name": "gateway-1",
          "stunner.l7mp.io/related-gateway-namespace": "testnamespace",
        },
        annotations: related,
        ownerReferences: [
          { apiVersion: "gateway.networking.k8s.io/v1", kind: "Gateway", name: "gateway-1", uid: "gateway-uid" },
        ],
      },
      spec: {
        replicas: 3,
        selector: {
          matchExpressions: [
            { key: "app", operator: "In", values: ["stunner"] },
            { key: "stunner.l7mp.io/related-gateway-name", operator: "In", values: ["gateway-1"] },
            { key: "stunner.l7mp.io/related-gateway-namespace", operator: "In", values: ["testnamespace"] },
          ],
        },
        template: {
          metadata: { labels: podLabels, annotations: related },
          spec: {
            containers: [
              {
                name: "stunner-daemon",
                image: "testimage-1",
                imagePullPolicy: "Always",
                command: ["testcommand-1"],
                args: ["arg-1", "arg-2"],
                env: [
                  { name: "STUNNER_ADDR", valueFrom: fromField("status.podIP") },
                  { name: "STUNNER_NAME", value: "gateway-1" },
                  { name: "STUNNER_NAMESPACE", value: "testnamespace" },
                  { name: "STUNNER_NODENAME", valueFrom: fromField("spec.nodeName") },
                  { name: "STUNNER_CONFIG_ORIGIN", value: "http://127.0.0.1:13478" },
                ],
                ports: [{ name: "metrics-port", containerPort: 8080, protocol: "TCP" }],
                resources: { limits: { memory: "10M" }, requests: { cpu: "250m" } },
                livenessProbe: probe("/live"),
                readinessProbe: probe("/ready"),
              },
            ],
            terminationGracePeriodSeconds: 60,
            hostNetwork: true,
            dnsPolicy: "ClusterFirstWithHostNet",
          },
        },
      },
    });
  });

  it("takes what else the Dataplane sets, except the labels and annotations that identify its pods", () => {
    const pod = podOf(
      withDataplane({
        disableHealthCheck: true,
        hostNetwork: false,
        imagePullSecrets: [{ name: "a" }, { name: "b" }],
        topologySpreadConstraints: [{ maxSkew: 12 }, { maxSkew: 21 }],
        securityContext: { runAsNonRoot: true },
        containerSecurityContext: { runAsNonRoot: true },
        labels: { "dummy-label-key": "dummy", app: "dummy" },
        annotations: { "dummy-annotation": "dummy", "stunner.l7mp.io/related-gateway-name": "dummy" },
        env: [{ name: "MORE", value: "1" }],
        envFrom: [{ configMapRef: { name: "more" } }],
      }),
    );
    expect(pod.metadata.labels).toEqual({ "dummy-label-key": "dummy", ...podLabels });
    expect(pod.metadata.annotations).toEqual({ "dummy-annotation": "dummy", ...related });
    expect(pod.spec).toMatchObject({
      hostNetwork: false,
      imagePullSecrets: [{ name: "a" }, { name: "b" }],
      topologySpreadConstraints: [{ maxSkew: 12 }, { maxSkew: 21 }],
      securityContext: { runAsNonRoot: true },
    });
    const [container] = pod.spec.containers;
    expect(container).toMatchObject({ securityContext: { runAsNonRoot: true } });
    expect(container).not.toHaveProperty("livenessProbe");
    expect(container).not.toHaveProperty("readinessProbe");
    expect(container?.["env"]).toHaveLength(6);
    expect(container?.["envFrom"]).toEqual([{ configMapRef: { name: "more" } }]);
  });

  it("gives a container with a read-only root file system an emptyDir at /tmp, and no other", () => {
    const podWith = (readOnlyRootFilesystem: boolean) =>
      podOf(withDataplane({ containerSecurityContext: { readOnlyRootFilesystem } })).spec;
    expect(podWith(true)).toMatchObject({
      containers: [{ volumeMounts: [{ name: "tmp", mountPath: "/tmp" }] }],
      volumes: [{ name: "tmp", emptyDir: {} }],
    });
    expect(podWith(false)).not.toHaveProperty("volumes");
    expect(podWith(false).containers[0]).not.toHaveProperty("volumeMounts");
  });

  it("carries the Gateway's labels and annotations, which its own override; its pods do not", () => {
    const objects = withMetadata({
      labels: { "dummy-label": null, "stunner.l7mp.io/owned-by": "dummy-owner", "valid-gw-label": "a" },
      annotations: { "stunner.l7mp.io/related-gateway-name": "dummy-ns/dummy-name", "valid-gw-ann": "b" },
    });
    expect(deploymentOf(objects).metadata.labels).toMatchObject({
      "stunner.l7mp.io/owned-by": "stunner",
      "valid-gw-label": "a",
    });
    expect(Object.keys(deploymentOf(objects).metadata.labels ?? {})).toHaveLength(4);
    expect(deploymentOf(objects).metadata.annotations).toEqual({ "valid-gw-ann": "b", ...related });
    expect(podOf(objects).metadata.annotations).toEqual(related);
  });

  it("does not carry the labels of deployment tools or a GatewayConfig's annotations", () => {
    const labels = { "app.kubernetes.io/managed-by": "x", "applyset.kubernetes.io/part-of": "y", "keep-me": "z" };
    expect(deploymentOf(withMetadata({ labels })).metadata.labels).not.toHaveProperty("app.kubernetes.io/managed-by");
    expect(deploymentOf(withMetadata({ labels })).metadata.labels).toMatchObject({ "keep-me": "z" });
    expect(deploymentOf(withConfigAnnotations({ lb: "x" })).metadata.annotations).toEqual(related);
  });

  it.each([
    [null, undefined],
    [1, undefined],
    [0, 0],
    [4, 4],
  ])("with %s replicas asked for writes %s", (replicas, written) =>
    expect(deploymentOf(withDataplane({ replicas })).spec.replicas).toBe(written),
  );

  it("has defaults where the Dataplane is silent", () => {
    const objects = fixture.map((object) => (object.kind === "Dataplane" ? { ...object, spec: {} } : object));
    expect(podOf(objects as Objects).spec).toMatchObject({
      containers: [
        {
          image: "l7mp/stunnerd:latest",
          imagePullPolicy: "Always",
          command: ["stunnerd"],
          args: ["-w", "--udp-thread-num=16"],
          resources: { limits: { memory: "20M" }, requests: { cpu: "250m" } },
        },
      ],
      terminationGracePeriodSeconds: 3600,
      hostNetwork: false,
    });
  });
});

describe("the DaemonSet of a Gateway", () => {
  const objects = withDataplane({ dataplaneResource: "DaemonSet" });
  const workloads = (of: Objects) => render(of).objects.filter(({ kind }) => kind !== "Service");

  it("is there instead of a Deployment, with the same pods and no replicas", () => {
    const [daemonSet, ...others] = workloads(objects);
    const { replicas: _, ...spec } = deploymentOf().spec;
    expect(others).toEqual([]);
    expect(daemonSet).toEqual({ ...deploymentOf(), kind: "DaemonSet", spec });
    expect(render(objects).removals).toEqual([{ kind: "Deployment", name: "testnamespace/gateway-1" }]);
  });

  it("is not there while others run the dataplane", () => {
    const annotations = { "stunner.l7mp.io/disable-managed-dataplane": "true" };
    const disabled = patched(objects, "Gateway", { metadata: { annotations } });
    expect(workloads(disabled)).toEqual([]);
    expect(render(disabled).removals.map(({ kind }) => kind)).toEqual(["Deployment", "DaemonSet"]);
  });

  it("neither replaces nor removes another of its name", () => {
    const metadata = { name: "gateway-1", namespace: "testnamespace" };
    const foreign = { apiVersion: "apps/v1", kind: "DaemonSet", metadata };
    expect(workloads(plus(objects, foreign))).toEqual([]);
    expect(render(plus(owned(objects), foreign)).status.conditions[1]).toMatchObject({
      status: "False",
      message: expect.stringContaining("a DaemonSet named testnamespace/gateway-1"),
    });
    expect(render(plus(fixture, foreign)).removals).toEqual([]);
  });
});
