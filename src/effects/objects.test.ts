import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Client } from "../../test/cluster/client.ts";
import { startCluster, type Cluster } from "../../test/cluster/cluster.ts";
import { resetCluster } from "../../test/cluster/reset.ts";
import type { Api, Request } from "../kubernetes/api.ts";
import { connect } from "../kubernetes/connect.ts";
import type { KubernetesObject } from "../resources/core.ts";
import type { Name } from "../resources/keys.ts";
import { kindOf } from "../resources/kinds.ts";
import { OWNED_BY_LABEL, OWNED_BY_VALUE } from "../resources/names.ts";
import { applyObject, applyStatus, removeObject } from "./objects.ts";

let cluster: Cluster;
let client: Client;
let api: Api;

beforeAll(async () => {
  cluster = await startCluster();
  ({ client } = cluster);
  api = await connect(cluster.kubeconfig);
}, 120_000);
afterAll(async () => {
  await api?.close();
  await cluster?.stop();
}, 60_000);
beforeEach(() => resetCluster(client));

const kind = kindOf("Service");
const name = "default/gw" as Name;
const reference = { apiVersion: "v1", kind: "Service", metadata: { name: "gw", namespace: "default" } };

const service = (annotations: Readonly<Record<string, string>> = {}, ports: readonly number[] = [3478]) => ({
  ...reference,
  metadata: { ...reference.metadata, labels: { [OWNED_BY_LABEL]: OWNED_BY_VALUE }, annotations },
  spec: { ports: ports.map((port) => ({ name: `p${port}`, port, protocol: "UDP" })) },
});
const foreign = { ...reference, spec: { ports: [{ name: "theirs", port: 80 }] } };

const stored = () =>
  client.get<KubernetesObject & { readonly spec: { readonly ports: readonly unknown[] } }>(reference);

/** Somebody else acts just before the next write. */
const meanwhile = (act: () => Promise<unknown>): Api => {
  let acted = false;
  return {
    ...api,
    json: async <T>(request: Request) => {
      if (!acted && request.method !== undefined && request.method !== "GET") {
        acted = true;
        await act();
      }
      return api.json<T>(request);
    },
  };
};

describe("an object of ours", () => {
  it("is created, and then left alone until it should be different", async () => {
    expect(await applyObject(api, kind, name, service())).toBe("created");
    const before = await stored();
    expect(await applyObject(api, kind, name, service())).toBe("unchanged");
    expect(await applyObject(api, kind, name, service(), before)).toBe("unchanged");
    expect((await stored()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    expect(await applyObject(api, kind, name, service({}, [3479]), before)).toBe("updated");
    expect((await stored()).spec.ports).toHaveLength(1);
  });

  it("keeps annotations that we once gave it, and those of others", async () => {
    await applyObject(api, kind, name, service({ first: "1", both: "1" }));
    await client.patch(reference, { metadata: { annotations: { theirs: "1" } } });
    expect(await applyObject(api, kind, name, service({ both: "2" }))).toBe("updated");
    expect(await applyObject(api, kind, name, service({ third: "1" }))).toBe("updated");
    expect((await stored()).metadata.annotations).toEqual({ first: "1", both: "2", third: "1", theirs: "1" });
  });

  it("is put right when somebody changed it", async () => {
    await applyObject(api, kind, name, service({ a: "1" }));
    await client.patch(reference, { metadata: { annotations: { a: "2" } } });
    expect(await applyObject(api, kind, name, service({ a: "1" }))).toBe("updated");
    expect((await stored()).metadata.annotations).toEqual({ a: "1" });
  });

  it("is removed once", async () => {
    await applyObject(api, kind, name, service());
    expect(await removeObject(api, kind, name)).toBe("removed");
    expect(await removeObject(api, kind, name)).toBe("absent");
  });

  it("is not removed as something else than what was looked at", async () => {
    await applyObject(api, kind, name, service());
    const changed = meanwhile(() => client.patch(reference, { metadata: { annotations: { kept: "yes" } } }));
    await expect(removeObject(changed, kind, name)).rejects.toMatchObject({ status: 409, reason: "Conflict" });
    const replaced = meanwhile(async () => {
      await client.delete(reference);
      await client.apply(foreign);
    });
    await expect(removeObject(replaced, kind, name)).rejects.toMatchObject({ status: 409, reason: "Conflict" });
    expect(await removeObject(api, kind, name)).toBe("foreign");
  });

  it("is not written over another that took its place meanwhile", async () => {
    await applyObject(api, kind, name, service());
    const replaced = meanwhile(async () => {
      await client.delete(reference);
      await client.apply(foreign);
    });
    await expect(applyObject(replaced, kind, name, service({ a: "1" }))).rejects.toMatchObject({ status: 422 });
    expect((await stored()).metadata.labels).toBeUndefined();
    expect(await applyObject(replaced, kind, name, service({ a: "1" }))).toBe("foreign");
  });
});

describe("an object that somebody makes between our look and our write", () => {
  it("is not adopted", async () => {
    const beaten = meanwhile(() => client.apply(foreign));
    expect(await applyObject(beaten, kind, name, service())).toBe("foreign");
    expect(await stored()).toMatchObject({ spec: { ports: [{ name: "theirs" }] } });
    expect((await stored()).metadata.labels).toBeUndefined();
  });

  it("is put right if it is ours, as when another replica made it", async () => {
    const beaten = meanwhile(() => client.apply(service({}, [1])));
    expect(await applyObject(beaten, kind, name, service({ a: "1" }))).toBe("updated");
    expect((await stored()).metadata.annotations).toEqual({ a: "1" });
  });
});

it("an object of somebody else is neither adopted nor removed", async () => {
  await client.apply(foreign);
  const before = await stored();
  expect(await applyObject(api, kind, name, service())).toBe("foreign");
  expect(await applyObject(api, kind, name, service(), before)).toBe("foreign");
  expect(await removeObject(api, kind, name)).toBe("foreign");
  expect((await stored()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
});

it("a status of what is gone is nothing to worry about", async () => {
  const gateway = kindOf("Gateway");
  const outcome = applyStatus(api, gateway, "v1", name, "gateway.networking.k8s.io/v1", { addresses: [] });
  expect(await outcome).toBe("absent");
});
