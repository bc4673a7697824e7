/** `turnpike auth` and `turnpike authd`: what they give lets a client allocate at a live relay. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startDiscovery, type DiscoveryServer } from "../../src/discovery/server.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { launch, turnpike } from "../support/commands.ts";
import { credentials, GATEWAY, startTestDataplane, type TestDataplane } from "../support/dataplane.ts";
import { startFakeCluster } from "../support/fake-cluster.ts";

const SECRET = "a-shared-secret-to-look-for";
const ephemeral = { type: "ephemeral", realm: "stunner.l7mp.io", credentials: { secret: SECRET } } as const;

let relay: TestDataplane;
let discovery: DiscoveryServer;
let at: readonly string[];

beforeAll(async () => {
  relay = await startTestDataplane();
  discovery = await startDiscovery({ host: "127.0.0.1", port: 0, addressesOfNode: () => [], isReady: () => true });
  at = ["--discovery", `127.0.0.1:${discovery.port}`];
});
afterAll(async () => {
  await relay.stop();
  await discovery.close();
});

let inForce: typeof ephemeral | undefined;

/** At the relay, and at the discovery server. */
const publish = async (auth: typeof ephemeral | undefined): Promise<void> => {
  if (auth !== inForce) await relay.apply(auth === undefined ? {} : { auth });
  inForce = auth;
  const config = relay.config(auth === undefined ? {} : { auth });
  discovery.replace([config]);
};

interface Ice {
  readonly iceServers: readonly {
    readonly urls: readonly string[];
    readonly username: string;
    readonly credential: string;
  }[];
}

const expectAllocation = async (username: string, password: string): Promise<void> => {
  const client = await TurnClient.connect({ host: "127.0.0.1", port: relay.ports.udp, username, password });
  const { relayed } = await client.allocate();
  expect(relayed).toHaveLength(1);
  await client.refresh(0);
  client.close();
};

const expectIce = async ({ iceServers: [server] }: Ice): Promise<void> => {
  expect(server?.urls).toEqual([
    `turn:127.0.0.1:${relay.ports.udp}?transport=udp`,
    `turn:127.0.0.1:${relay.ports.tcp}?transport=tcp`,
    `turns:127.0.0.1:${relay.ports.tls}?transport=tcp`,
    `turns:127.0.0.1:${relay.ports.dtls}?transport=udp`,
  ]);
  await expectAllocation(server!.username, server!.credential);
};

describe("turnpike auth", () => {
  it("gives a Gateway's static credentials as an RTCConfiguration", async () => {
    await publish(undefined);
    const { code, stdout } = await turnpike(["auth", GATEWAY, ...at]);
    expect(code).toBe(0);
    await expectIce(JSON.parse(stdout) as Ice);
    expect(stdout).toContain(credentials.password);
  });

  it("makes time-limited ones from the secret, for a user and a time", async () => {
    await publish(ephemeral);
    const { stdout } = await turnpike(["auth", GATEWAY, "-u", "alice", "--ttl", "60", "--turn-credential", ...at]);
    const { username, password, ttl, uris } = JSON.parse(stdout) as {
      username: string;
      password: string;
      ttl: number;
      uris: string[];
    };
    const left = Number(username.split(":")[0]) - Date.now() / 1000;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60);
    expect(username).toMatch(/:alice$/);
    expect({ ttl, uris: uris.length }).toEqual({ ttl: 60, uris: 4 });
    await expectAllocation(username, password);
    expect(stdout).not.toContain(SECRET);
  });

  it("prints them for people, too", async () => {
    await publish(undefined);
    const args = ["auth", "gateway", "-n", "media", "--listener", "tls", "--public-addr", "media.example.com"];
    const { stdout } = await turnpike([...args, "-o", "table", ...at]);
    expect(stdout).toBe(
      `USERNAME  PASSWORD  URI\nuser-1    pass-1    turns:media.example.com:${relay.ports.tls}?transport=tcp\n`,
    );
  });

  it("exits 1 where there is no such Gateway or listener", async () => {
    for (const args of [["media/nothing"], [GATEWAY, "--listener", "sctp"], ["-n", "nowhere"]])
      expect((await turnpike(["auth", ...args, ...at])).code, args.join(" ")).toBe(1);
  });
});

const startAuthd = async (args: readonly string[], env: Readonly<Record<string, string>> = {}, as = "turnpike") => {
  const running = launch([...(as === "turnpike" ? ["authd"] : []), "--port", "0", ...args], { as, env });
  onTestFinished(async () => void (await running.stop()));
  const [, port] = await running.printed(/"port":(\d+),"msg":"authentication service started"/);
  return { running, url: `http://127.0.0.1:${port}` };
};

describe("turnpike authd", () => {
  it("hands out credentials with which a client allocates, of the configs as they are now", async () => {
    await publish(undefined);
    const { running, url } = await startAuthd([...at, "-v"]);
    await running.printed(/"msg":"config taken"/);
    await expectIce((await (await fetch(`${url}/ice?service=turn`)).json()) as Ice);
    await publish(ephemeral);
    await expect
      .poll(async () => (await fetch(`${url}/?service=turn&username=bob`)).json())
      .toMatchObject({ username: expect.stringMatching(/^\d+:bob$/) as string });
    await expectIce((await (await fetch(`${url}/ice?service=turn`)).json()) as Ice);
    discovery.replace([]);
    await expect.poll(async () => (await fetch(`${url}/ice?service=turn`)).status).toBe(500);
    expect(await running.stop("SIGTERM")).toBe(0);
    expect(running.output).toMatch(/"path":"\/ice","status":200/);
    expect(running.output).not.toMatch(new RegExp(`${SECRET}|${credentials.password}|bob`));
  });

  it("listens on the addresses of both families", async () => {
    const { url } = await startAuthd(at);
    for (const host of ["127.0.0.1", "[::1]"]) {
      const { status } = await fetch(`${url.replace("127.0.0.1", host)}/nowhere`);
      expect(status, host).toBe(404);
    }
  });

  it("answers to the name authd and to the environment of STUNner's", async () => {
    await publish(undefined);
    const cds = ["--cds-server-address=127.0.0.1", `--cds-server-port=${discovery.port}`];
    const { running, url } = await startAuthd(cds, { STUNNER_PUBLIC_ADDR: "2.4.6.8" }, "authd");
    await running.printed(/"msg":"config taken"/);
    const { iceServers } = (await (await fetch(`${url}/ice?service=turn`)).json()) as Ice;
    expect(iceServers[0]?.urls[0]).toBe(`turn:2.4.6.8:${relay.ports.udp}?transport=udp`);
  });

  it("is what stunnerctl auth asks: by address, or found in the cluster", async () => {
    await publish(undefined);
    const { running, url } = await startAuthd(at);
    await running.printed(/"msg":"config taken"/);
    const port = Number(new URL(url).port);
    const stunnerctl = (...args: readonly string[]) => turnpike(args, { as: "stunnerctl" });
    const address = ["--auth-server-address", `127.0.0.1:${port}`];
    const turn = await stunnerctl("auth", "gateway", "-n", "media", "--auth-turn-credential", ...address);
    expect(JSON.parse(turn.stdout)).toMatchObject({ username: "user-1", password: "pass-1", ttl: 86_400 });
    const refused = await stunnerctl("auth", "nothing", "-n", "media", ...address);
    expect(refused.stderr).toMatch(/answered 404: could not generate ICE config: no valid listener found/);
    expect(refused.code).toBe(1);

    const cluster = await startFakeCluster();
    cluster.pods = [{ namespace: "media", name: "auth-1", labels: { app: "stunner-auth" }, ports: { 8088: port } }];
    const found = await stunnerctl("get-credential", "--kubeconfig", cluster.kubeconfig);
    expect((JSON.parse(found.stdout) as Ice).iceServers).toHaveLength(1);
    await cluster.stop();
  });

  it("exits 1 where its port is taken", async () => {
    const { url } = await startAuthd(at);
    const { code, stderr } = await turnpike(["authd", "--port", new URL(url).port, ...at]);
    expect(stderr).toMatch(/EADDRINUSE.*\(bind-failed\)/);
    expect(code).toBe(1);
  });
});
