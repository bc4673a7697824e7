/** Histories of pods. */
import type { Literal } from "../../cluster/client.ts";
import { endPod, reportPod } from "../../cluster/node.ts";
import type { Pod } from "./kubelet.ts";
import { deployment, NAMESPACE, route, service, slice, world } from "./manifests.ts";
import type { Recipe, Stage, StageOptions } from "./stage.ts";

const endpointsOf = (stage: Stage): readonly string[] => [
  ...stage.operator.loop.core.registry.entities("endpoint").values(),
];
const active = (stage: Stage, count: number) => (): boolean =>
  endpointsOf(stage).length === count && endpointsOf(stage).every((state) => state === "active");
const pathOf = ({ metadata }: Pod, subresource = ""): string =>
  `/api/v1/namespaces/${NAMESPACE}/pods/${metadata.name}${subresource}`;
/** As a person does it: with the pod's own grace period. */
const deletePod = (stage: Stage, pod: Pod): Promise<unknown> => stage.client.request(pathOf(pod), { method: "DELETE" });
const first = (pods: readonly Pod[]): Pod => {
  const pod = pods.find(({ status }) => status?.podIP === "10.1.0.1");
  if (pod === undefined) throw new Error("the first pod is not there");
  return pod;
};
const isTerminating = (stage: Stage, address: string) => (): boolean =>
  stage.state("endpoint", `media/sfu#${address}`) === "terminating";
const isGone = (stage: Stage, address: string) => (): boolean =>
  stage.state("endpoint", `media/sfu#${address}`) === undefined;

const byHand: readonly Literal[] = [
  ...world(0).slice(0, 5),
  service("sfu", {}),
  slice("sfu-1", ["10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4"]),
];

export const podRecipes: Readonly<Record<string, readonly [StageOptions, Recipe]>> = {
  rollout: [
    {},
    async (stage) => {
      stage.kubelet.lingers = true;
      await stage.apply(deployment(2, "two"));
      await stage.until(
        "old pods terminate",
        () => endpointsOf(stage).filter((state) => state === "terminating").length === 2,
      );
      await stage.settled();
      stage.kubelet.lingers = false;
      await stage.until("old pods are gone", active(stage, 2));
      await stage.settled();
    },
  ],
  "scaled-up": [
    { replicas: 1 },
    async (stage) => {
      await stage.apply(deployment(3));
      await stage.until("three pods", active(stage, 3));
      await stage.settled();
    },
  ],
  "scaled-down": [
    { replicas: 3 },
    async (stage) => {
      stage.kubelet.lingers = true;
      await stage.apply(deployment(1));
      await stage.until(
        "two terminate",
        () => endpointsOf(stage).filter((state) => state === "terminating").length === 2,
      );
      await stage.settled();
      stage.kubelet.lingers = false;
      await stage.until("one pod", active(stage, 1));
      await stage.settled();
    },
  ],
  "node-drained": [
    {},
    async (stage) => {
      const { kubelet, client } = stage;
      await client.patch(
        { apiVersion: "v1", kind: "Node", metadata: { name: "node-1" } },
        { spec: { unschedulable: true } },
      );
      kubelet.nodes = ["node-2"];
      kubelet.lingers = true;
      const pod = first(await kubelet.pods());
      const eviction = {
        apiVersion: "policy/v1",
        kind: "Eviction",
        metadata: { name: pod.metadata.name, namespace: NAMESPACE },
      };
      await client.request(pathOf(pod, "/eviction"), { method: "POST", body: eviction });
      await stage.until("its pod terminates, and another one is there", () => endpointsOf(stage).length === 3);
      await stage.until("its pod terminates", isTerminating(stage, "10.1.0.1"));
      await stage.settled();
      kubelet.lingers = false;
      await stage.until("its pod is gone", isGone(stage, "10.1.0.1"));
      await stage.settled();
    },
  ],
  "pod-deleted": [
    {},
    async (stage) => {
      stage.kubelet.lingers = true;
      await deletePod(stage, first(await stage.kubelet.pods()));
      await stage.until("it terminates", isTerminating(stage, "10.1.0.1"));
      await stage.settled();
      stage.kubelet.lingers = false;
      await stage.until("it is gone", isGone(stage, "10.1.0.1"));
      await stage.settled();
    },
  ],
  "pod-killed": [
    {},
    async (stage) => {
      await endPod(stage.client, first(await stage.kubelet.pods()).metadata);
      await stage.until("it is gone", isGone(stage, "10.1.0.1"));
      await stage.until("another one is there", active(stage, 2));
      await stage.settled();
    },
  ],
  "pod-unready": [
    {},
    async (stage) => {
      const { metadata } = first(await stage.kubelet.pods());
      const seen = (ready: boolean) => (): boolean =>
        stage.facts.some(
          (fact) =>
            fact.type === "object.seen" &&
            fact.data.kind === "EndpointSlice" &&
            JSON.stringify(fact.data.object).includes(`"ready":${ready}`),
        );
      await reportPod(stage.client, metadata, ["10.1.0.1"], false);
      await stage.until("it is seen to be unready", seen(false));
      await stage.settled();
      await reportPod(stage.client, metadata, ["10.1.0.1"], true);
      await stage.settled();
    },
  ],
  "slice-split": [
    { world: byHand },
    async (stage) => {
      await stage.apply(slice("sfu-2", ["10.1.0.3", "10.1.0.4"]));
      await stage.settled();
      await stage.apply(slice("sfu-1", ["10.1.0.1", "10.1.0.2"]));
      await stage.settled();
      await stage.apply(slice("sfu-2", ["10.1.0.4"]));
      await stage.until("one is gone", isGone(stage, "10.1.0.3"));
      await stage.settled();
    },
  ],
  "service-missing": [
    {},
    async (stage) => {
      const degraded = (is: boolean) => (): boolean =>
        (stage.state("route", "UDPRoute/media/calls") === "degraded") === is;
      await stage.remove(service());
      await stage.until("the route is degraded", degraded(true));
      await stage.settled();
      await stage.apply(service());
      await stage.until("the route is whole", degraded(false));
      await stage.until("its pods are back", active(stage, 2));
      await stage.settled();
    },
  ],
  "route-added": [
    { world: world(2).filter(({ kind }) => kind !== "UDPRoute") },
    async (stage) => {
      await stage.settled();
      await stage.apply(route());
      await stage.until("its pods are admitted", active(stage, 2));
      await stage.settled();
    },
  ],
};
