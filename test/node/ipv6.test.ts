/** A cluster of IPv6 alone: nodes, pods, Services and clients outside have no IPv4 address. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import type { Credentials } from "../../src/turn-client/credentials.ts";
import { IPV6, run } from "../cluster/nodes/wire.ts";
import { turnpike } from "../support/commands.ts";
import { eventually } from "../support/eventually.ts";
import { useCalls } from "./calls.ts";
import { MEDIA_PORT, mediaServers, NAMESPACE, SYSTEM, useStage, type Pod } from "./stage.ts";
import { base, credentials, gatewayWith, portOf, routeTo } from "./world.ts";

const stage = useStage({ count: 2, families: IPV6 }, [
  "--set",
  "authService.enabled=true",
  "--set",
  "authService.service.type=LoadBalancer",
]);
const calls = useCalls(stage, "calls in a cluster of IPv6 alone");

const MESSAGES = 50;
let media: Pod;
let host: string;

interface IceServers {
  readonly iceServers: readonly { readonly urls: readonly string[] }[];
}

const uris = (): readonly string[] => [
  `turn:[${host}]:3478?transport=tcp`,
  `turn:[${host}]:3478?transport=udp`,
  `turns:[${host}]:5349?transport=tcp`,
  `turns:[${host}]:5349?transport=udp`,
];
const urlsIn = (text: string): readonly string[] =>
  (JSON.parse(text) as IceServers).iceServers.flatMap(({ urls }) => urls).toSorted();
/** What a command prints for someone who administers the cluster. */
const command = async (...args: readonly string[]): Promise<string> => {
  const { stdout, stderr, code } = await turnpike([...args, "--kubeconfig", stage.cluster.kubeconfig]);
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
  return stdout;
};

beforeAll(async () => {
  await stage.apply(
    ...base,
    gatewayWith("six", ["udp", "tcp", "tls", "dtls"]),
    routeTo("six", "media"),
    ...mediaServers("media", 1),
  );
  [media] = (await stage.ready("app=media", 1)) as readonly [Pod];
  await stage.ready("app=stunner", 1);
  host = (await stage.addressed("six")).address;
});

describe("a cluster of IPv6 alone", () => {
  it("has no IPv4 address", async () => {
    const addresses = await stage.kubectl(
      "get",
      "nodes,pods,services",
      "--all-namespaces",
      "--output",
      "jsonpath={.items[*].status.addresses[?(@.type=='InternalIP')].address} {.items[*].status.podIPs[*].ip} {.items[*].spec.clusterIPs[*]}",
    );
    const all = addresses.trim().split(/\s+/);
    expect(all.length).toBeGreaterThan(10);
    expect(all.filter((address) => !address.includes(":") && address !== "None")).toEqual([]);
    for (const { inside } of [...stage.nodes.all, stage.nodes.outside])
      expect(run(inside(["ip", "-4", "address", "show", "scope", "global"]))).toBe("");
  });

  it("has its address in the Gateway's status, and in brackets in URIs of commands and of the authentication service", async () => {
    await eventually(async () => {
      const status = await stage.kubectl(
        "get",
        "gateway",
        "six",
        "-n",
        NAMESPACE,
        "-o",
        "jsonpath={.status.addresses}",
      );
      expect(JSON.parse(status)).toEqual([{ type: "IPAddress", value: host }]);
      expect(urlsIn(await command("auth", `${NAMESPACE}/six`))).toEqual(uris());
    }, 100);
    const { address } = await stage.addressed("turnpike-auth", SYSTEM);
    await eventually(async () => {
      const { status, body } = await stage.caller.get(`http://[${address}]:8088/ice?service=turn`);
      expect(status, body).toBe(200);
      expect(urlsIn(body)).toEqual(uris());
    }, 100);
  });

  it.each(["udp", "tcp", "tls", "dtls"] as const)("holds a call over %s", async (transport) => {
    const [dataplane] = await stage.ready("app=stunner", 1);
    const through = { host, port: portOf[transport], transport };
    const call = await calls.begin(transport, through, media.status.podIP);
    expect(call.relay).toBe(dataplane!.status.podIP);
    await call.flows(200);
    await call.endsWhole();
  });

  it("holds calls of coturn's client", async () => {
    const { username, password }: Credentials = credentials;
    const args = ["-c", "-x", "-e", media.status.podIP, "-r", String(MEDIA_PORT), "-n", String(MESSAGES), "-m", "2"];
    const [program = "", ...rest] = stage.nodes.outside.inside([
      "turnutils_uclient",
      ...args,
      "-l",
      "160",
      "-z",
      "5",
      "-u",
      username,
      "-w",
      password,
      "-p",
      "3478",
      host,
    ]);
    const { stdout } = await promisify(execFile)(program, rest);
    expect(stdout).toContain(`tot_send_msgs=${2 * MESSAGES}, tot_recv_msgs=${2 * MESSAGES}`);
  });

  it("admits no link-local address, and serves none", async () => {
    const through = { host, port: portOf.udp };
    expect(await calls.refusal(through, "fe80::1")).toBe(403);
    expect(await command("config", `${NAMESPACE}/six`, "-o", "json")).not.toMatch(/fe80:/);
    expect(await command("status", `${NAMESPACE}/six`, "-o", "json")).not.toMatch(/fe80:/);
  });

  it("is examined by doctor, from the API server to an allocation", async () => {
    // The certificate is of no authority.
    const report = await command("doctor", "--insecure");
    expect(report).toContain("Test allocations: 4 of 4 listeners");
    expect(report).toContain("0 warning, 0 failed, 0 skipped");
  });
});
