/** Kernel offload in real pods: the chart's switch, calls through the kernel, and what a namespace without the privilege gets. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, expect, it } from "vitest";
import type { ProgramState } from "../../src/admin/state.ts";
import { buildPion } from "../interop/go.ts";
import { eventually } from "../support/eventually.ts";
import { useCalls, type Through } from "./calls.ts";
import { mediaServers, NAMESPACE, useStage, type Pod } from "./stage.ts";
import { base, config, credentials, gatewayWith, routeTo } from "./world.ts";

const ADMIN = "127.0.0.1:8090";
const values = [
  "dataplane.offload.engine=TC",
  "dataplane.offload.interfaces={eth0}",
  `dataplane.spec.args={-w,--udp-thread-num=2,--journal=/tmp/turnpike,--admin=${ADMIN}}`,
];
const stage = useStage(
  { count: 1 },
  values.flatMap((value) => ["--set", value]),
);
const calls = useCalls(stage, "calls that the kernel forwards");
const DATAPLANE = "app=stunner";
const run = promisify(execFile);

/** Runs a command in the network that reaches nodes only. */
const outside = async (...command: readonly (readonly string[])[]): Promise<string> => {
  const [program, ...args] = stage.nodes.outside.inside(command.flat());
  const { stdout, stderr } = await run(program!, args);
  return stdout + stderr;
};

let pion: string;
let media: readonly Pod[];
let gateway: Through;

const inDataplane = async (...command: readonly string[]): Promise<string> => {
  const [pod] = await stage.ready(DATAPLANE, 1);
  return stage.kubectl("exec", "--namespace", NAMESPACE, pod!.metadata.name, "--", "turnpike", ...command);
};
const state = async (): Promise<ProgramState> =>
  JSON.parse(await inDataplane("status", "--admin", ADMIN, "--json")) as ProgramState;

beforeAll(async () => {
  pion = await buildPion("client");
  const labels = { "pod-security.kubernetes.io/enforce": "privileged" };
  await stage.cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE, labels } });
  await stage.apply(
    ...base,
    gatewayWith("gateway", ["udp", "tcp"]),
    routeTo("gateway", "media"),
    ...mediaServers("media", 2),
  );
  media = await stage.ready("app=media", 2);
  const { address } = await stage.addressed("gateway");
  gateway = { host: address, port: 3478 };
  await stage.ready(DATAPLANE, 1);
});

it("a call goes through the kernel, loses nothing, and is counted", async () => {
  const call = await calls.begin("UDP, forwarded by the kernel", gateway, media[0]!.status.podIP);
  await call.flows(300);
  const { allocations, relay } = await state();
  expect(relay.offload).toMatchObject({ engine: "TC", interfaces: [{ name: "eth0", engine: "TC" }] });
  const [allocation] = allocations;
  expect(allocation?.channels).toMatchObject([{ way: "kernel" }]);
  expect(allocation?.packetsOut).toBeGreaterThanOrEqual(300);
  expect(await inDataplane("offload", "--admin", ADMIN)).toMatch(
    /^Offload: TC on eth0; the kernel forwards 1 of 1 channels$/m,
  );
  await call.endsWhole();
});

it("a call over TCP stays in user space beside it", async () => {
  const [overTcp, overUdp] = await Promise.all([
    calls.begin("TCP, beside it", { ...gateway, transport: "tcp" }, media[0]!.status.podIP),
    calls.begin("UDP, forwarded by the kernel, beside TCP", gateway, media[0]!.status.podIP),
  ]);
  await Promise.all([overTcp.flows(200), overUdp.flows(200)]);
  expect(await inDataplane("offload", "--admin", ADMIN)).toContain("the client does not use UDP");
  await overTcp.endsWhole();
  await overUdp.endsWhole();
});

it("clients of others relay through the kernel, and lose nothing", async () => {
  const [pod] = media;
  const address = pod!.status.podIP;
  const user = ["-u", "user-1", "-w", "pass-1"];
  const uclient = outside(
    ["turnutils_uclient", "-c", "-n", "100", "-m", "2", "-l", "160", "-z", "5", "-e", address, "-r", "9000"],
    [...user, "-p", String(gateway.port), gateway.host],
  );
  // The kernel has its channels while it runs.
  await eventually(async () => {
    const ways = (await state()).allocations.flatMap(({ channels }) => channels.map(({ way }) => way));
    expect(new Set(ways)).toEqual(new Set(["kernel"]));
  }, 100);
  expect(await uclient).toContain("Total lost packets 0 (0.000000%)");
  const server = `${gateway.host}:${gateway.port}`;
  const said = await outside([pion, "-server", server, "-transport", "udp", "-peer", `${address}:9000`]);
  expect(said).toMatch(/^20 of 20 echoed/);
});

it("routes, credentials and another pod change under a call that the kernel forwards: nothing is lost", async () => {
  const call = await calls.begin(
    "UDP, forwarded by the kernel, while all else changes",
    gateway,
    media[0]!.status.podIP,
  );
  await call.flows(50);
  await stage.apply(routeTo("gateway", "unrouted"), ...mediaServers("unrouted", 1));
  const [other] = await stage.ready("app=unrouted", 1);
  await eventually(async () => expect(await calls.refusal(gateway, other!.status.podIP)).toBeUndefined(), 100);
  await call.flows(50);
  await stage.kubectl("delete", "udproutes.stunner.l7mp.io", "gateway-unrouted", "--namespace", NAMESPACE);
  await eventually(async () => expect(await calls.refusal(gateway, other!.status.podIP)).toBe(403), 100);
  await call.flows(50);
  await stage.apply(config("another-password"));
  await eventually(async () => {
    expect(
      await calls.refusal({ ...gateway, as: { username: "user-1", password: "another-password" } }, "127.0.0.9"),
    ).toBe(403);
  }, 100);
  await call.flows(100);
  await stage.apply(config(credentials.password));
  await eventually(async () => expect(await calls.refusal(gateway, media[0]!.status.podIP)).toBeUndefined(), 100);
  const { allocations } = await state();
  const ways = allocations.flatMap(({ channels }) => channels.map(({ peer, way }) => `${way} ${peer}`));
  expect(ways).toContain(`kernel ${media[0]!.status.podIP}:9000`);
  await call.endsWhole();
});

it("a media pod that is deleted gets nothing more, and the call to the other one loses nothing", async () => {
  const [stays, goes] = media as readonly [Pod, Pod];
  const call = await calls.begin("UDP, to the pod that stays", gateway, stays.status.podIP);
  const cut = await calls.begin("UDP, to the pod that is deleted", gateway, goes.status.podIP);
  await cut.flows(100);
  await stage.kubectl("delete", "pod", goes.metadata.name, "--namespace", NAMESPACE, "--grace-period", "1");
  await eventually(async () => {
    const peers = (await state()).allocations.flatMap(({ channels }) => channels.map(({ peer }) => peer));
    expect(peers).toEqual([`${stays.status.podIP}:9000`]);
  }, 100);
  await call.flows(200);
  await call.endsWhole();
  expect(await cut.endsCut()).toBeGreaterThanOrEqual(100);
});

it("a dataplane without the capabilities says so in one line, and relays in user space", async () => {
  const dataplane = await stage.kubectl("get", "dataplanes.stunner.l7mp.io", "default", "--output", "json");
  const { spec } = JSON.parse(dataplane) as { readonly spec: { readonly containerSecurityContext: object } };
  const containerSecurityContext = {
    ...spec.containerSecurityContext,
    runAsUser: 65_532,
    runAsNonRoot: true,
    capabilities: { drop: ["ALL"], add: null },
  };
  const [before] = await stage.ready(DATAPLANE, 1);
  await stage.kubectl(
    "patch",
    "dataplanes.stunner.l7mp.io",
    "default",
    "--type",
    "merge",
    "--patch",
    JSON.stringify({ spec: { containerSecurityContext } }),
  );
  await eventually(async () => {
    const pods = await stage.ready(DATAPLANE, 1);
    expect(pods.map(({ metadata }) => metadata.name)).not.toContain(before!.metadata.name);
  }, 200);
  const call = await calls.begin("UDP, without the capabilities", gateway, media[0]!.status.podIP);
  await call.flows(200);
  expect((await state()).relay.offload).toMatchObject({
    engine: "None",
    reason: expect.stringMatching(/EPERM|EACCES/),
  });
  const [pod] = await stage.ready(DATAPLANE, 1);
  const log = await stage.kubectl("logs", "--namespace", NAMESPACE, pod!.metadata.name);
  expect(log.match(/offload is unavailable/g)).toHaveLength(1);
  await call.endsWhole();
});
