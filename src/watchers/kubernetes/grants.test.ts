import { PassThrough } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { ApiError, type Api } from "../../kubernetes/api.ts";
import type { WatchEvent } from "../source.ts";
import { watchCluster } from "./cluster.ts";
import { eventually } from "../../../test/support/eventually.ts";

const grants = (version: string): string => `/apis/gateway.networking.k8s.io/${version}/referencegrants`;
const grant = (version: string, resourceVersion = "1") => ({
  apiVersion: `gateway.networking.k8s.io/${version}`,
  kind: "ReferenceGrant",
  metadata: { name: "grant", namespace: "far", resourceVersion },
  spec: {
    from: [{ group: "gateway.networking.k8s.io", kind: "UDPRoute", namespace: "ns" }],
    to: [{ group: "", kind: "Service" }],
  },
});

/** A cluster that has nothing but these lists, or refuses them with a status. */
const follow = (answers: Readonly<Record<string, readonly unknown[] | number>>) => {
  const watches = new Map<string, PassThrough>();
  const api: Api = {
    requests: {},
    async json<T>({ path }: { readonly path: string }) {
      const answer = answers[path] ?? [];
      if (typeof answer === "number") throw new ApiError(answer, "", `answered ${answer}`);
      return { metadata: { resourceVersion: "1" }, items: answer } as T;
    },
    async stream({ path }) {
      const stream = new PassThrough();
      watches.set(path, stream);
      return stream;
    },
    close: async () => undefined,
  };
  const events: WatchEvent[] = [];
  const subscription = watchCluster(api, { endpointSource: "EndpointSlice" }).subscribe((next) => events.push(...next));
  onTestFinished(() => {
    subscription.unsubscribe();
    for (const stream of watches.values()) stream.destroy();
  });
  const told = (): readonly string[] =>
    events
      .filter(({ event }) => event !== "listed" && event !== "absent")
      .map((event) => ("reason" in event ? event.reason : event.event));
  return { told, watches };
};

describe("ReferenceGrants in a cluster", () => {
  it("are reported once if both versions are served, and removed when both have lost them", async () => {
    const { told, watches } = follow({ [grants("v1")]: [grant("v1")], [grants("v1beta1")]: [grant("v1beta1")] });
    await eventually(() => expect(watches.size).toBeGreaterThan(10));
    expect(told()).toEqual(["seen", "synced"]);
    for (const version of ["v1", "v1beta1"])
      watches.get(grants(version))!.write(`${JSON.stringify({ type: "DELETED", object: grant(version, "2") })}\n`);
    await eventually(() => expect(told()).toEqual(["seen", "synced", "gone"]));
  });

  it("are read where only the older version is served", async () => {
    const { told } = follow({ [grants("v1")]: 404, [grants("v1beta1")]: [grant("v1beta1")] });
    await eventually(() => expect(told()).toEqual(["seen", "synced"]));
  });

  it("do not keep an operator from starting that may not read them", async () => {
    const { told } = follow({ [grants("v1")]: 403, [grants("v1beta1")]: 403 });
    await eventually(() => expect(told()).toContain("synced"));
    expect(told()).toContain("ReferenceGrant v1: answered 403");
  });

  it("are waited for where they cannot be read for another reason", async () => {
    const { told, watches } = follow({ [grants("v1")]: 503, [grants("v1beta1")]: [] });
    await eventually(() => expect(watches.size).toBeGreaterThan(10));
    expect(told()).toEqual(["ReferenceGrant v1: answered 503"]);
  });
});
