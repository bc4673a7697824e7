import { describe, expect, it } from "vitest";
import type { AnyObject } from "../../resources/kinds.ts";
import { reduce } from "./reduce.ts";

const object = (value: unknown): AnyObject => value as AnyObject;

describe("reduce", () => {
  it("drops the bookkeeping of every kind, and keeps what it does not know", () => {
    const metadata = { name: "gw", namespace: "ns", uid: "1", generation: 2, labels: { a: "b" } };
    const gateway = { apiVersion: "v1", kind: "Gateway", metadata, spec: { later: true }, status: { x: 1 } };
    const bookkeeping = { managedFields: [{}], selfLink: "/x", resourceVersion: "7" };
    expect(reduce("Gateway", object({ ...gateway, metadata: { ...metadata, ...bookkeeping } }))).toEqual(gateway);
  });

  it("keeps of a Secret the keys that rules look at", () => {
    const data = {
      username: "dQ==",
      password: "cA==",
      "tls.crt": "Yw==",
      "tls.key": "aw==",
      "secret.old": "cw==",
      other: "bw==",
    };
    const reduced = reduce("Secret", object({ metadata: { name: "s" }, type: "Opaque", data }));
    expect(reduced).toEqual({
      metadata: { name: "s" },
      type: "Opaque",
      data: { username: "dQ==", password: "cA==", "tls.crt": "Yw==", "tls.key": "aw==", "secret.old": "cw==" },
    });
    expect(reduce("Secret", object({ metadata: { name: "empty" } }))).toEqual({
      metadata: { name: "empty" },
      data: {},
    });
  });

  it("keeps of a Node its addresses, of a Namespace its labels, of a Deployment no status", () => {
    const metadata = { name: "x", labels: { a: "b" }, annotations: { c: "d" } };
    const whole = { apiVersion: "v1", kind: "K", metadata, spec: { s: 1 }, status: { addresses: [], other: 1 } };
    expect(reduce("Node", object(whole))).toEqual({
      apiVersion: "v1",
      kind: "K",
      metadata: { name: "x" },
      status: { addresses: [] },
    });
    expect(reduce("Namespace", object(whole))).toEqual({
      apiVersion: "v1",
      kind: "K",
      metadata: { name: "x", labels: { a: "b" } },
    });
    expect(reduce("Deployment", object(whole))).toEqual({ apiVersion: "v1", kind: "K", metadata, spec: { s: 1 } });
  });

  it("does not see who leads by an Endpoints lock", () => {
    const endpoints = (leader: string) =>
      object({
        metadata: { name: "e", annotations: { "control-plane.alpha.kubernetes.io/leader": leader, kept: "yes" } },
      });
    expect(reduce("Endpoints", endpoints("a"))).toEqual(reduce("Endpoints", endpoints("b")));
    expect(reduce("Endpoints", endpoints("a")).metadata.annotations).toEqual({ kept: "yes" });
  });

  it("leaves what it is given as it was", () => {
    const given = object({ metadata: { name: "s", resourceVersion: "1" }, data: { other: "x" } });
    const copy = structuredClone(given);
    reduce("Secret", given);
    expect(given).toEqual(copy);
  });
});
