import type { Subscription } from "rxjs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startFakeApi, type FakeApi, type Made } from "../../../test/support/fake-api.ts";
import { collectionPath } from "../../kubernetes/paths.ts";
import { keyOf, nameOfObject } from "../../resources/keys.ts";
import { kindOf, kinds, type AnyObject } from "../../resources/kinds.ts";
import type { WatchEvent } from "../source.ts";
import { watchCluster } from "./cluster.ts";
import { eventually } from "../../../test/support/eventually.ts";

const SECRETS = "/api/v1/secrets";
const SERVICES = "/api/v1/services";
const NODES = "/api/v1/nodes";
const ROUTES = "/apis/gateway.networking.k8s.io/v1/udproutes";
const ALPHA_ROUTES = "/apis/gateway.networking.k8s.io/v1alpha2/udproutes";

let server: FakeApi;
let subscription: Subscription | undefined;

beforeEach(async () => {
  server = await startFakeApi();
  for (const kind of kinds) for (const version of kind.versions) server.serve(collectionPath(kind, version));
});
afterEach(async () => {
  subscription?.unsubscribe();
  await server.stop();
});

const word = (one: WatchEvent): string => {
  if (one.event === "seen") return `seen ${keyOf(one.kind, nameOfObject(one.kind, one.object))}`;
  if (one.event === "gone") return `gone ${keyOf(one.kind, one.name)}`;
  return one.event === "synced" ? `synced ${one.objects}` : one.event;
};

const follow = (endpointSource: "EndpointSlice" | "Endpoints" = "EndpointSlice", namespaces?: readonly string[]) => {
  const words: string[] = [];
  const objects: AnyObject[] = [];
  const lists: Extract<WatchEvent, { readonly event: "listed" | "absent" }>[] = [];
  subscription = watchCluster(server.api, {
    endpointSource,
    namespaces,
    listWatch: { firstPauseMs: 2, longestPauseMs: 10, absentPauseMs: 5 },
  }).subscribe((events) => {
    words.push(...events.filter(({ event }) => event !== "listed" && event !== "absent").map(word));
    lists.push(...events.flatMap((one) => (one.event === "listed" || one.event === "absent" ? [one] : [])));
    for (const one of events) if (one.event === "seen") objects.push(one.object);
  });
  return {
    words,
    objects,
    lists,
    until: (...expected: readonly string[]) => eventually(() => expect(words).toEqual(expected)),
    synced: () =>
      eventually(() => {
        expect(words.some((one) => one.startsWith("synced"))).toBe(true);
        expect(server.watches).toBeGreaterThanOrEqual(server.asked.filter(({ query }) => query["watch"]).length);
        expect(server.watches).toBeGreaterThan(10);
      }),
  };
};

/** One for each kind, and one more for each further version that is served. */
const WATCHES = 18;

const made = (name: string, more: Readonly<Record<string, unknown>> = {}, namespace = "ns"): Made => ({
  metadata: { name, namespace },
  ...more,
});

describe("the first complete list of a kind", () => {
  const path = collectionPath(kindOf("GatewayConfig"), "v1");
  const of = ({ lists }: ReturnType<typeof follow>) =>
    lists.flatMap(({ kind, event, ...rest }) => (kind === "GatewayConfig" ? [{ event, ...rest }] : []));

  it("is reported once, with the time and the tries that it took", async () => {
    server.answer({ of: (asked) => asked.path === path, status: 500, times: 2 });
    const followed = follow();
    await followed.synced();
    expect(of(followed)).toEqual([
      { event: "listed", version: "v1", objects: 0, seconds: expect.any(Number), attempts: 3 },
    ]);
    server.compact();
    server.cut();
    await eventually(() =>
      expect(server.asked.filter((one) => one.path === path && one.query["watch"] === undefined)).toHaveLength(4),
    );
    expect(of(followed)).toHaveLength(1);
  });

  it("counts from the arrival of a kind that was absent", async () => {
    server.withdraw(path);
    const followed = follow();
    await followed.synced();
    server.serve(path);
    await eventually(() => expect(of(followed)).toHaveLength(2));
    expect(of(followed)).toEqual([
      { event: "absent", version: "v1" },
      { event: "listed", version: "v1", objects: 0, seconds: expect.any(Number), attempts: 1 },
    ]);
  });
});

describe("synced", () => {
  it("comes after every kind was listed, the slowest too", async () => {
    server.put(SERVICES, made("a"));
    server.put(SECRETS, made("b"));
    let isHeld = true;
    server.answer({ of: ({ path }) => path === SECRETS && isHeld, times: Number.POSITIVE_INFINITY, status: 500 });
    const { words, until } = follow();
    await eventually(() => expect(server.watches).toBe(WATCHES - 1));
    expect(words.toSorted()).toEqual(["lost", "seen Service/ns/a"]);
    isHeld = false;
    await until(...words, "restored", "seen Secret/ns/b", "synced 2");
  });

  it("does not wait for kinds that the server does not have", async () => {
    for (const { group, versions, plural } of kinds)
      if (group.includes(".io") && !group.startsWith("discovery"))
        for (const version of versions) server.withdraw(`/apis/${group}/${version}/${plural}`);
    const { until } = follow();
    await until("synced 0");
    expect(server.asked.every(({ path }) => path.startsWith("/api"))).toBe(true);
  });

  it.each(["EndpointSlice", "Endpoints"] as const)("asks for pod addresses in one place: %s", async (source) => {
    const { synced } = follow(source);
    await synced();
    const paths = new Set(server.asked.map(({ path }) => path));
    expect(paths.has(collectionPath(kindOf(source), "v1"))).toBe(true);
    expect(paths.has(collectionPath(kindOf(source === "Endpoints" ? "EndpointSlice" : "Endpoints"), "v1"))).toBe(false);
  });
});

it("asks for nothing outside the namespaces that it is limited to, but for what is in none", async () => {
  const namespaces = ["a", "b"];
  server.put(SERVICES, made("one", {}, "a"));
  server.put(SERVICES, made("one", {}, "b"));
  server.put(SERVICES, made("one", {}, "c"));
  const { words, synced } = follow("EndpointSlice", namespaces);
  await synced();
  expect(words).toEqual(["seen Service/a/one", "seen Service/b/one", "synced 2"]);
  const inNone = kinds.filter(({ namespaced }) => !namespaced).flatMap(({ plural }) => plural);
  for (const { path, query } of server.asked) {
    const [, namespace] = /\/namespaces\/([^/]+)\//.exec(path) ?? [];
    if (namespace === undefined) expect(inNone).toContain(path.split("/").at(-1));
    else expect(namespaces).toContain(namespace);
    if (path === "/api/v1/namespaces") expect(["metadata.name=a", "metadata.name=b"]).toContain(query["fieldSelector"]);
  }
});

describe("a route that is served in two versions", () => {
  it("is reported once, and removed when no version has it", async () => {
    server.put(ROUTES, made("r", { spec: {} }));
    server.put(ALPHA_ROUTES, made("r", { spec: {} }));
    const { words, until, synced } = follow();
    await synced();
    expect(words).toEqual(["seen GatewayUDPRoute/ns/r", "synced 1"]);

    server.put(ROUTES, made("r", { spec: { rules: [] } }));
    server.put(ALPHA_ROUTES, made("r", { spec: { rules: [] } }));
    server.delete(ROUTES, "ns/r");
    server.put(SERVICES, made("after"));
    await eventually(() => expect(words).toContain("seen Service/ns/after"));
    expect(words.filter((one) => one.startsWith("gone"))).toEqual([]);
    server.delete(ALPHA_ROUTES, "ns/r");
    await eventually(() => expect(words.at(-1)).toBe("gone GatewayUDPRoute/ns/r"));
    expect(words.filter((one) => one === "seen GatewayUDPRoute/ns/r")).toHaveLength(2);
    await until(...words);
  });

  it("stays while one version goes, and goes with the other", async () => {
    server.put(ROUTES, made("r"));
    server.put(ALPHA_ROUTES, made("r"));
    const { words, synced } = follow();
    await synced();
    const asked = server.asked.length;
    server.withdraw(ALPHA_ROUTES);
    const again = () => server.asked.slice(asked).filter(({ path }) => path === ALPHA_ROUTES).length;
    await eventually(() => expect(again()).toBeGreaterThan(2));
    expect(words).toEqual(["seen GatewayUDPRoute/ns/r", "synced 1"]);
    server.withdraw(ROUTES);
    await eventually(() => expect(words.at(-1)).toBe("gone GatewayUDPRoute/ns/r"));
  });

  it("is written down with the group and version that it was read in", async () => {
    server.withdraw(ROUTES);
    server.put(ALPHA_ROUTES, made("r"));
    const { objects, synced } = follow();
    await synced();
    expect(objects).toEqual([
      {
        apiVersion: "gateway.networking.k8s.io/v1alpha2",
        kind: "UDPRoute",
        metadata: { name: "r", namespace: "ns" },
      },
    ]);
  });
});

describe("what nobody needs", () => {
  it("is not told", async () => {
    const node = (heartbeat: string) => ({
      metadata: { name: "n", annotations: { heartbeat } },
      status: { addresses: [{ type: "ExternalIP", address: "192.0.2.1" }], conditions: [{ heartbeat }] },
    });
    server.put(NODES, node("1"));
    const { words, synced } = follow();
    await synced();
    for (const heartbeat of ["2", "3", "4"]) server.put(NODES, node(heartbeat));
    server.put(NODES, { metadata: { name: "other" } });
    await eventually(() => expect(words.at(-1)).toBe("seen Node/other"));
    expect(words).toEqual(["seen Node/n", "synced 1", "seen Node/other"]);
  });

  it("is asked for as little as the server can leave out: no tokens, no releases", async () => {
    const { synced } = follow();
    await synced();
    const selectors = server.asked.filter(({ path }) => path === SECRETS).map(({ query }) => query["fieldSelector"]);
    expect(selectors).toHaveLength(2);
    for (const selector of selectors)
      expect(selector).toBe("type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token");
  });

  it("of a Secret is left out", async () => {
    server.put(SECRETS, made("s", { type: "Opaque", data: { password: "cGFzcw==", unrelated: "c2VjcmV0" } }));
    const { objects, synced } = follow();
    await synced();
    expect(objects).toMatchObject([{ kind: "Secret", type: "Opaque", data: { password: "cGFzcw==" } }]);
    expect(JSON.stringify(objects)).not.toContain("c2VjcmV0");
  });
});

it("is lost with the first kind that is, and restored with the last", async () => {
  const { words, synced } = follow();
  await synced();
  words.length = 0;
  const failing = new Set([SERVICES, SECRETS]);
  server.answer({ of: ({ path }) => failing.has(path), times: Number.POSITIVE_INFINITY, status: 500 });
  server.cut();
  await eventually(() => expect(words).toEqual(["lost", "lost"]));
  failing.delete(SERVICES);
  await eventually(() => expect(server.watches).toBe(WATCHES - 1));
  expect(words).toEqual(["lost", "lost"]);
  failing.clear();
  await eventually(() => expect(words).toEqual(["lost", "lost", "restored"]));
});
