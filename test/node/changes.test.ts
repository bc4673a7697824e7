/** What users are promised while their calls go on, on two nodes: pods that end, dataplanes, nodes and operators that change. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { chart } from "../chart/helm.ts";
import { eventually } from "../support/eventually.ts";
import { run } from "../cluster/nodes/wire.ts";
import { useCalls, type Through } from "./calls.ts";
import { IMAGE } from "./image.ts";
import { mediaServers, meta, NAMESPACE, ourImage, SYSTEM, useStage, type Pod } from "./stage.ts";
import { base, gatewayWith, routeTo } from "./world.ts";

const stage = useStage({ count: 2 });
const calls = useCalls(stage, "calls from outside while things change");
const { kubectl } = stage;

/** By load balancer, over UDP and over TCP. */
let udp: Through;
let tcp: Through;

const deployment = (name: string) => ({ apiVersion: "apps/v1", kind: "Deployment", metadata: meta(name) });
const served = async (): Promise<string> =>
  kubectl(
    "get",
    "--raw",
    `/api/v1/namespaces/${SYSTEM}/services/turnpike-discovery:13478/proxy/api/v1/configs/${NAMESPACE}/gateway`,
  );
const podsOf = (selector: string): Promise<readonly Pod[]> =>
  stage.cluster.client.list<Pod>({ apiVersion: "v1", kind: "Pod", namespace: NAMESPACE, labelSelector: selector });

/** Gives the image another name on every node: for Kubernetes it is another image. */
const tagImage = (name: string): void => {
  const [from, to] = [IMAGE, name].map((one) => `docker.io/library/${one}`) as [string, string];
  for (const { pid } of stage.nodes.all)
    run(["nsenter", `--mount=/proc/${pid}/ns/mnt`, "ctr", "--namespace", "k8s.io", "images", "tag", from, to]);
};

/** Waits until one dataplane is ready, and runs `image`. */
const rolledTo = (image: string): Promise<void> =>
  eventually(async () => {
    const [dataplane] = await stage.ready("app=stunner", 1);
    expect(dataplane!.spec.containers[0]!.image).toBe(image);
  }, 200);

beforeAll(async () => {
  await stage.apply(...base, gatewayWith("gateway", ["udp", "tcp"]), routeTo("gateway", "media"));
  const { address } = await stage.addressed("gateway");
  udp = { host: address, port: 3478 };
  tcp = { ...udp, transport: "tcp" };
});
beforeEach(async () => {
  await stage.apply(...mediaServers("media", 2));
  await stage.ready("app=media", 2);
  await stage.ready("app=stunner", 1);
});

describe("media servers", () => {
  it("a pod that is deleted keeps its calls until it is gone, and the others keep theirs", async () => {
    const [leaving, staying] = await stage.ready("app=media", 2);
    const at = leaving!.status.podIP;
    const going = await calls.begin("media pod deleted, its own call, UDP", udp, at);
    const goingToo = await calls.begin("media pod deleted, its own call, TCP", tcp, at);
    const other = await calls.begin("media pod deleted, another's call", udp, staying!.status.podIP);
    await kubectl("delete", "pod", leaving!.metadata.name, "--namespace", NAMESPACE, "--wait=false");
    // Through three of its five seconds of grace.
    await Promise.all([going.flows(300), goingToo.flows(300)]);
    await eventually(async () => expect(await calls.refusal(udp, at)).toBe(403), 200);
    await other.flows(100);
    expect(await going.endsCut()).toBeGreaterThanOrEqual(300);
    expect(await goingToo.endsCut()).toBeGreaterThanOrEqual(300);
    await other.endsWhole();
  });

  it("that are rolled out take new calls in new pods, while old calls run on in old ones", async () => {
    const before = await stage.ready("app=media", 2);
    const old = await calls.begin("media servers rolled out, old call", udp, before[0]!.status.podIP);
    await kubectl("rollout", "restart", "deployment/media", "--namespace", NAMESPACE);
    await kubectl("rollout", "status", "deployment/media", "--namespace", NAMESPACE);
    const [after] = await stage.ready("app=media", 2);
    const late = await calls.begin("media servers rolled out, new call", udp, after!.status.podIP);
    await late.flows(100);
    await late.endsWhole();
    expect(await old.endsCut()).toBeGreaterThan(0);
  });
});

describe("dataplanes", () => {
  it("that are rolled out lose no call", async () => {
    const [media] = await stage.ready("app=media", 2);
    const [before] = await stage.ready("app=stunner", 1);
    const running = [
      await calls.begin("dataplane rolled out, UDP", udp, media!.status.podIP),
      await calls.begin("dataplane rolled out, TCP", tcp, media!.status.podIP),
    ];
    await kubectl("rollout", "restart", "deployment/gateway", "--namespace", NAMESPACE);
    await kubectl("rollout", "status", "deployment/gateway", "--namespace", NAMESPACE);
    const [after] = await stage.ready("app=stunner", 1);
    expect(after!.metadata.name).not.toBe(before!.metadata.name);
    await Promise.all(running.map((call) => call.flows(500)));
    const late = await calls.begin("dataplane rolled out, new call", udp, media!.status.podIP);
    await late.flows(100);
    for (const call of [...running, late]) await call.endsWhole();
    await eventually(async () => expect(await podsOf("app=stunner")).toHaveLength(1), 200);
  });

  it("that are scaled in lose no call", async () => {
    const { client } = stage.cluster;
    await client.patch(deployment("gateway"), { spec: { replicas: 3 } });
    await stage.ready("app=stunner", 3);
    const [media] = await stage.ready("app=media", 2);
    const running = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        calls.begin(
          `dataplanes scaled from 3 to 1, call ${index + 1}`,
          index % 2 === 0 ? udp : tcp,
          media!.status.podIP,
        ),
      ),
    );
    await client.patch(deployment("gateway"), { spec: { replicas: 1 } });
    await stage.ready("app=stunner", 1);
    await Promise.all(running.map((call) => call.flows(500)));
    for (const call of running) await call.endsWhole();
    await eventually(async () => expect(await podsOf("app=stunner")).toHaveLength(1), 200);
  });
});

describe("a node", () => {
  it("that is drained loses no call of the dataplanes on it", async () => {
    const [dataplane] = await stage.ready("app=stunner", 1);
    const node = dataplane!.spec.nodeName;
    const media = (await stage.ready("app=media", 2)).find(({ spec }) => spec.nodeName !== node);
    expect(media, "a media server on the other node").toBeDefined();
    const running = [
      await calls.begin("node drained, UDP", udp, media!.status.podIP),
      await calls.begin("node drained, TCP", tcp, media!.status.podIP),
    ];
    await kubectl("cordon", node);
    try {
      const draining = kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=100s");
      await eventually(async () => {
        const now = await stage.ready("app=stunner", 1);
        expect(now[0]!.spec.nodeName).not.toBe(node);
      }, 200);
      await Promise.all(running.map((call) => call.flows(500)));
      for (const call of running) await call.endsWhole();
      await draining;
    } finally {
      await kubectl("uncordon", node);
    }
  });
});

describe("the operator", () => {
  it("that is upgraded and rolled back loses no call, and rolls no dataplane", async () => {
    const [media] = await stage.ready("app=media", 2);
    const [before] = await stage.ready("app=stunner", 1);
    const running = [
      await calls.begin("operator upgraded and rolled back, UDP", udp, media!.status.podIP),
      await calls.begin("operator upgraded and rolled back, TCP", tcp, media!.status.podIP),
    ];
    const settings = [...ourImage, "--set", "podAnnotations.release=two"];
    await stage.helm("upgrade", "turnpike", chart, "--namespace", SYSTEM, "--wait", ...settings);
    await Promise.all(running.map((call) => call.flows(200)));
    await stage.helm("rollback", "turnpike", "1", "--namespace", SYSTEM, "--wait");
    await Promise.all(running.map((call) => call.flows(200)));
    for (const call of running) await call.endsWhole();
    expect((await stage.ready("app=stunner", 1))[0]!.metadata.name).toBe(before!.metadata.name);
    expect(await served()).toContain(media!.status.podIP);
  });

  it("that is upgraded to another image and rolled back loses no call, while dataplanes are rolled there and back", async () => {
    tagImage("turnpike:next");
    const [media] = await stage.ready("app=media", 2);
    const at = media!.status.podIP;
    const running = [
      await calls.begin("image upgraded and rolled back, UDP", udp, at),
      await calls.begin("image upgraded and rolled back, TCP", tcp, at),
    ];
    await stage.helm(
      "upgrade",
      "turnpike",
      chart,
      "--namespace",
      SYSTEM,
      "--wait",
      ...ourImage,
      "--set",
      "image.tag=next",
    );
    await rolledTo("turnpike:next");
    running.push(await calls.begin("image upgraded, then rolled back, UDP", udp, at));
    await Promise.all(running.map((call) => call.flows(200)));
    await stage.helm("rollback", "turnpike", "1", "--namespace", SYSTEM, "--wait");
    await rolledTo(IMAGE);
    const late = await calls.begin("image rolled back, new call", udp, at);
    await Promise.all([...running, late].map((call) => call.flows(200)));
    for (const call of [...running, late]) await call.endsWhole();
    await eventually(async () => expect(await podsOf("app=stunner")).toHaveLength(1), 200);
  });
});
