/** Operators that relay in their own pods, two of them: calls through each, and a leader that goes. */
import { beforeAll, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { useCalls, type Call, type Through } from "./calls.ts";
import { mediaServers, meta, NAMESPACE, useStage, type Pod } from "./stage.ts";
import { base, gatewayWith, routeTo } from "./world.ts";

// The operators' pods are where the Gateways are, as Services select pods of their own namespace only.
const values = ["embedded=true", "replicas=2", "terminationGracePeriodSeconds=3600", `namespaceOverride=${NAMESPACE}`];
const stage = useStage(
  { count: 1 },
  values.flatMap((value) => ["--set", value]),
);
const calls = useCalls(stage, "calls through operators that relay");
const { kubectl } = stage;

const OPERATORS = "app.kubernetes.io/component=operator";
/** Each call goes to a pod that the Service chooses. Otherwise all of one client go to the same. */
const SPREAD = { "stunner.l7mp.io/disable-session-affinity": "true" };

const operators = (): Promise<readonly Pod[]> =>
  stage.cluster.client.list<Pod>({ apiVersion: "v1", kind: "Pod", namespace: NAMESPACE, labelSelector: OPERATORS });
const leader = (): Promise<Pod> =>
  eventually(async () => {
    const { spec } = await stage.cluster.client.get<{ readonly spec: { readonly holderIdentity: string } }>({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: meta("turnpike"),
    });
    const holder = (await operators()).find(({ metadata }) => spec.holderIdentity.startsWith(`${metadata.name}_`));
    expect(holder, spec.holderIdentity).toBeDefined();
    return holder!;
  }, 200);

const through = async (gateway: string): Promise<Through> => ({
  host: (await stage.addressed(gateway)).address,
  port: 3478,
});

/** Begins calls until there is one through each of `pods`. @returns them by the address of their pod. */
const throughEach = async (
  what: string,
  at: Through,
  pods: readonly Pod[],
  peer: string,
): Promise<ReadonlyMap<string, readonly Call[]>> => {
  const byPod = new Map<string, Call[]>(pods.map(({ status }) => [status.podIP, []]));
  while ([...byPod.values()].some((begun) => begun.length === 0)) {
    const call = await calls.begin(what, at, peer);
    expect([...byPod.keys()]).toContain(call.relay);
    byPod.get(call.relay)?.push(call);
  }
  return byPod;
};

let media: Pod;

beforeAll(async () => {
  await stage.apply(
    ...base,
    gatewayWith("gateway", ["udp"], SPREAD),
    routeTo("gateway", "media"),
    ...mediaServers("media", 1),
  );
  [media] = (await stage.ready("app=media", 1)) as readonly [Pod];
});

it("a leader that is deleted loses no call: its own go on until they end, and the other leads", async () => {
  const pods = await stage.ready(OPERATORS, 2);
  const leaving = await leader();
  const at = await through("gateway");
  const running = await throughEach("leader deleted", at, pods, media.status.podIP);
  // The operators and the media server: nothing else relays.
  expect(await stage.cluster.client.list({ apiVersion: "v1", kind: "Pod", namespace: NAMESPACE })).toHaveLength(3);

  await kubectl("delete", "pod", leaving.metadata.name, "--namespace", NAMESPACE, "--wait=false");
  await eventually(async () => expect((await leader()).metadata.name).not.toBe(leaving.metadata.name), 200);
  // Kubernetes sends packets of open calls to ready pods only.
  const probe = `/api/v1/namespaces/${NAMESPACE}/pods/${leaving.metadata.name}:8081/proxy/readyz`;
  expect(await kubectl("get", "--raw", probe)).toBe("ok\n");

  // What is applied meanwhile, the new leader writes, and both successors serve.
  await stage.apply(
    gatewayWith("second", ["udp"], SPREAD),
    routeTo("second", "late"),
    routeTo("gateway", "late"),
    ...mediaServers("late", 1),
  );
  const [late] = await stage.ready("app=late", 1);
  const successors = await stage.ready(OPERATORS, 2);
  const more = await throughEach("new leader's Gateway", await through("second"), successors, late!.status.podIP);
  const all = [...running.values(), ...more.values()].flat();
  await Promise.all(all.map((call) => call.flows(200)));
  for (const call of all) await call.endsWhole();
  await eventually(async () => {
    const names = (await operators()).map(({ metadata }) => metadata.name);
    expect(names).not.toContain(leaving.metadata.name);
  }, 200);
});
