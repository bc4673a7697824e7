/** What the operator does when the cluster fails in the middle of things. */
import { describe, expect, it } from "vitest";
import { gateway, route } from "../support/objects.ts";
import { installGatewayApi, installOurs } from "./crds.ts";
import { isChange } from "./fresh.ts";
import { useCluster } from "./fixture.ts";
import { impatient } from "./operators.ts";
import { configsAt, objectsIn, reachable, reaches, settled, type Versions } from "./survey.ts";
import { media, world } from "./world.ts";
import { eventually } from "../support/eventually.ts";

const fixture = useCluster();
const { apply, remove, start, endsWell } = fixture;
const objects = (): Promise<Versions> => objectsIn(fixture.cluster);

describe("the operator survives", () => {
  it("an API server that is killed while objects change", async () => {
    const operator = await start();
    await reaches(operator, { a: ["10.0.0.1"], b: ["10.0.0.2"] });
    await settled(fixture.cluster, operator);
    const before = await objects();
    for (const round of [1, 2]) {
      // Some of them arrive, some do not.
      const changes = Promise.allSettled([
        apply(gateway("c")),
        apply(route("to-c", ["c"], ["media-a"])),
        apply(media("media-a", [`10.0.1.${round}`])),
      ]);
      await fixture.cluster.apiServer.kill();
      await changes;
      await eventually(() => expect(operator.loop.core.registry.state("operator", "operator")).toBe("leading"));
      await fixture.cluster.apiServer.restart();
      // Before its watches are back, some of them.
      await remove(route("to-b", [], []), media("media-b", []));
      await apply(gateway("c"), route("to-c", ["c"], ["media-a"]), media("media-a", [`10.0.1.${round}`]));
      await reaches(operator, { a: [`10.0.1.${round}`], b: [], c: [`10.0.1.${round}`] });
      await remove(gateway("c"), route("to-c", [], []));
      await reaches(operator, { a: [`10.0.1.${round}`], b: [] });
    }
    await apply(route("to-b", ["b"], ["media-b"]), media("media-b", ["10.0.0.9"]));
    await reaches(operator, { a: ["10.0.1.2"], b: ["10.0.0.9"] });
    await eventually(async () => expect(Object.keys(await objects())).toEqual(Object.keys(before)));
    const now = await objects();
    expect(Object.values(now).map(({ uid }) => uid)).toEqual(Object.values(before).map(({ uid }) => uid));
    expect(now["Service b"]).toEqual(before["Service b"]);
    await endsWell();
  });

  it("an etcd that stands still", async () => {
    const operator = await start({ requestTimeoutMs: impatient.requestTimeoutMs! });
    await reaches(operator, { a: ["10.0.0.1"], b: ["10.0.0.2"] });
    await settled(fixture.cluster, operator);
    const before = await objects();
    // In the middle of what a new Gateway asks for: these writes hang.
    let paused = false;
    fixture.proxy.listen({
      asked(asked) {
        if (!paused && isChange(asked)) fixture.cluster.etcd.pause();
        paused ||= isChange(asked);
      },
    });
    const failures: string[] = [];
    operator.loop.onFact((fact) => {
      if (fact.type === "effect.failed") failures.push(fact.data.reason);
    });
    const changes = [gateway("c"), route("to-c", ["c"], ["media-b"]), media("media-a", ["10.0.1.1"])];
    // The operator may be quicker than the second of these: then they hang as well.
    const change = apply(...changes).catch(() => undefined);
    try {
      await eventually(() => expect(paused).toBe(true));
      await eventually(() => expect(failures.length).toBeGreaterThanOrEqual(2));
      // Served as before.
      expect(reachable(await configsAt(operator.discovery.port))).toHaveProperty("a");
    } finally {
      fixture.cluster.etcd.resume();
    }
    expect(failures.join()).toContain("no answer within");
    await change;
    await eventually(() => apply(...changes));
    await reaches(operator, { a: ["10.0.1.1"], b: ["10.0.0.2"], c: ["10.0.0.2"] });
    await settled(fixture.cluster, operator);
    expect(await objects()).toMatchObject(
      Object.fromEntries(Object.entries(before).map(([name, { uid }]) => [name, { uid }])),
    );
    await endsWell();
  });

  it.each([
    {
      group: "gateway.networking.k8s.io",
      version: "v1alpha2",
      install: () => installGatewayApi(fixture.cluster.client, "both"),
    },
    { group: "stunner.l7mp.io", version: "v1", install: () => installOurs(fixture.cluster.client) },
  ])("a kind that is removed and comes back: UDPRoute of $group", async ({ group, version, install }) => {
    const other = {
      ...route("other", ["a"], ["media-b"]),
      apiVersion: `${group}/${version}`,
      spec: { parentRefs: [{ name: "a" }], rules: [{ backendRefs: [{ name: "media-b", port: 9000 }] }] },
    };
    await apply(other);
    const operator = await start();
    const whole = { a: ["10.0.0.1", "10.0.0.2"], b: ["10.0.0.2"] };
    await reaches(operator, whole);
    await settled(fixture.cluster, operator);
    const before = await objects();
    const definition = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `udproutes.${group}` },
    };
    await fixture.cluster.client.delete(definition);
    try {
      await reaches(operator, group === "stunner.l7mp.io" ? { a: [], b: [] } : { a: ["10.0.0.1"], b: ["10.0.0.2"] });
      await eventually(() => expect(fixture.cluster.client.get(definition)).rejects.toThrow("not found"));
    } finally {
      await install();
    }
    await apply(...world.filter((object) => (object as { readonly kind: string }).kind === "UDPRoute"), other);
    await reaches(operator, whole);
    await settled(fixture.cluster, operator);
    const uids = (all: Versions) => Object.values(all).map(({ uid }) => uid);
    expect(uids(await objects())).toEqual(uids(before));
    await endsWell();
  });
});
