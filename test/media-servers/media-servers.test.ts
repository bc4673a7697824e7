/**
 * Media servers behind the Gateway, by their guides' own manifests, with their own clients in a browser that reaches nodes
 * only.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { SYSTEM, useStage } from "../node/stage.ts";
import type { BrowserName } from "./browsers.ts";
import { useGuided } from "./guided.ts";
import { startBrowsers, statsOf, type CallPage, type MediaStats, type OutsideBrowsers } from "./page.ts";
import { jitsi } from "./jitsi.ts";
import { livekit, sharedSecret } from "./livekit.ts";
import { serverImages, servers } from "./servers.ts";

/** The dataplanes of all servers at once fit on a node of two cores. */
const values = ["--set", "dataplane.spec.resources.requests.cpu=50m"];
const stage = useStage({ count: 1, images: serverImages }, values);
const rows: string[] = [];
let browsers: OutsideBrowsers;

beforeAll(async () => {
  browsers = await startBrowsers(stage.nodes.outside);
});
afterAll(async () => {
  await browsers?.close();
  console.log(["calls through media servers:", ...rows].join("\n"));
});

const hasFailed = ({ states }: MediaStats): boolean => states.includes("failed");

/** Waits until the page has decoded this much more, or one of its connections has failed. */
const flowsIn = async (page: CallPage, frames: number, audioPackets: number): Promise<MediaStats> => {
  const before = await statsOf(page);
  return eventually(async () => {
    const stats = await statsOf(page);
    if (hasFailed(stats)) return stats;
    expect(stats.framesDecoded - before.framesDecoded, JSON.stringify(stats)).toBeGreaterThanOrEqual(frames);
    expect(stats.audioPackets - before.audioPackets, JSON.stringify(stats)).toBeGreaterThanOrEqual(audioPackets);
    return stats;
  }, 200);
};

/** A browser's checks of connectivity have a time limit, which a busy machine can miss: people join again then. */
const JOINS = 3;

describe.each(servers.map((server) => [server.title, server] as const))("%s", (title, server) => {
  const { namespace, name, mediaPort } = server;
  const addresses = useGuided(stage, server);
  const selector = `app=${name}`;
  let page: CallPage | undefined;

  const call = async (browser: BrowserName = "chrome"): Promise<void> => {
    await page?.close();
    page = await browsers.open(browser, server.scripts);
    await server.join(page, addresses.signalling, addresses.gateway);
  };

  const flows = async (frames: number, audioPackets: number): Promise<MediaStats> => {
    if (page === undefined) throw new Error("no page");
    const stats = await flowsIn(page, frames, audioPackets);
    expect(hasFailed(stats), JSON.stringify(stats)).toBe(false);
    return stats;
  };
  /** Joins until connections stand, a few times. */
  const hold = async (browser: BrowserName, frames: number, audioPackets: number): Promise<MediaStats> => {
    for (let joins = 1; joins < JOINS; joins += 1) {
      await eventually(() => call(browser), 500);
      const stats = await flowsIn(page!, frames, audioPackets);
      if (!hasFailed(stats)) return stats;
    }
    await eventually(() => call(browser), 500);
    return flows(frames, audioPackets);
  };
  afterEach(async () => {
    await page?.close();
    page = undefined;
  });

  it.each(["chrome", "firefox"] as const)(
    "holds a call with %s, both ways, through the Gateway alone",
    async (browser) => {
      const stats = await hold(browser, 50, 100);
      expect(stats.pairs).not.toEqual([]);
      for (const pair of stats.pairs) expect(pair).toMatch(/^relay\//);
      rows.push(
        `  ${title} in ${browsers.versions[browser]}: ${stats.framesDecoded} frames decoded, ` +
          `${stats.audioPackets} audio packets, candidate pairs ${stats.pairs.join(", ")}`,
      );
    },
  );

  it("is rolled out: calls run on in a pod that waits for them, new ones are held in the new pod", async () => {
    await eventually(() => call(), 500);
    await flows(1, 1);
    const [before] = await stage.ready(selector, 1, namespace);
    await stage.kubectl("rollout", "restart", `deployment/${name}`, "--namespace", namespace);
    await stage.kubectl("rollout", "status", `deployment/${name}`, "--namespace", namespace);
    const [after] = await stage.ready(selector, 1, namespace);
    expect(after?.metadata.name).not.toBe(before?.metadata.name);
    if (server.drains) {
      const { framesDecoded } = await flows(50, 100);
      expect(await stage.kubectl("get", "pod", "--namespace", namespace, `${before?.metadata.name}`)).toContain("1/1");
      rows.push(`  ${title}, rolled out: the call runs on, ${framesDecoded} frames decoded`);
    }
    await eventually(() => call(), 500);
    const { framesDecoded } = await flows(20, 20);
    rows.push(`  ${title}, rolled out: a new call in the new pod, ${framesDecoded} frames decoded`);
  });

  it("with a wrong route has no call, and explain says why", async () => {
    const [pod] = await stage.ready(selector, 1, namespace);
    const asked = [
      `${pod?.status.podIP}:${mediaPort}`,
      "--gateway",
      `${namespace}/turn`,
      "--journal",
      "/var/lib/turnpike",
    ];
    const explain = (): Promise<string> =>
      stage
        .kubectl("exec", "--namespace", SYSTEM, "deployment/turnpike", "--", "turnpike", "explain", ...asked)
        // Its exit code says whether all is well.
        .catch(({ stdout }: { readonly stdout: string }) => stdout);
    expect(await explain()).toMatch(/ is reachable/);
    const path = ["--namespace", namespace, "--type=merge", "--patch"];
    const spec = { rules: [{ backendRefs: [{ name, port: 1 }] }] };
    await stage.kubectl("patch", "udproutes.stunner.l7mp.io", name, ...path, JSON.stringify({ spec }));
    await eventually(async () => expect(await explain()).toMatch(/ is not reachable/), 200);
    rows.push(`  ${title}, wrong port in the route: ${(await explain()).split("\n")[0]}`);
  });
});

describe(`${livekit.title}, with passwords of a shared secret`, () => {
  const { namespace, name, title } = livekit;
  const addresses = useGuided(stage, livekit);

  it("holds a call", async () => {
    await stage.apply(...sharedSecret(addresses.gateway));
    await stage.kubectl("rollout", "restart", `deployment/${name}`, "--namespace", namespace);
    await stage.kubectl("rollout", "status", `deployment/${name}`, "--namespace", namespace);
    const page = await eventually(async () => {
      const opened = await browsers.open("chrome", livekit.scripts);
      try {
        await livekit.join(opened, addresses.signalling, addresses.gateway);
        return opened;
      } catch (error) {
        await opened.close();
        throw error;
      }
    }, 500);
    const stats = await flowsIn(page, 50, 100);
    expect(hasFailed(stats), JSON.stringify(stats)).toBe(false);
    const { framesDecoded, pairs } = stats;
    expect(new Set(pairs.map((pair) => pair.split("/")[0]))).toEqual(new Set(["relay"]));
    await page.close();
    rows.push(`  ${title}, with passwords of a shared secret: ${framesDecoded} frames decoded`);
  });
});

describe(jitsi.title, () => {
  const { namespace } = jitsi;
  const addresses = useGuided(stage, jitsi);
  let page: CallPage | undefined;
  afterEach(async () => {
    await page?.close();
    page = undefined;
  });

  it.each(["chrome", "firefox"] as const)("finds its way to %s, through the Gateway alone", async (browser) => {
    const connect = async (): Promise<string> => {
      await page?.close();
      page = await browsers.open(browser, jitsi.scripts);
      return jitsi.connect(page, addresses.signalling, addresses.gateway);
    };
    const ufrag = await eventually(connect, 500);
    const [gatewayPod] = await stage.ready(`stunner.l7mp.io/related-gateway-name=${jitsi.gateway}`, 1, namespace);
    const state = await eventually(async () => {
      const found = await jitsi.stateOf(page!, addresses.signalling, ufrag);
      expect(found.packets).toBeGreaterThan(0);
      expect(found.remote).toBe(gatewayPod?.status.podIP);
      return found;
    }, 200);
    const { pairs } = await statsOf(page!);
    expect(pairs).not.toEqual([]);
    for (const pair of pairs) expect(pair).toMatch(/^relay\//);
    rows.push(
      `  ${jitsi.title} in ${browsers.versions[browser]}: ICE ${state.state}, candidate pairs ${pairs.join(", ")}, ` +
        `${state.packets} packets of DTLS at the server`,
    );
  });
});
