import { describe, expect, it } from "vitest";
import {
  backendId,
  endpointEntity,
  listenerEntity,
  splitBackendId,
  splitEndpoint,
  splitListener,
  type Backend,
} from "./entities.ts";
import type { Name } from "./keys.ts";

const service = "service:media/sfu" as Backend;
const staticService = "static-service:media/lab" as Backend;

describe("an endpoint", () => {
  it.each([
    [service, "10.1.0.7", "media/sfu#10.1.0.7", "media/sfu"],
    [service, "2001:db8::7", "media/sfu#2001:db8::7", "media/sfu"],
    [staticService, "10.2.0.0/16", "static:media/lab#10.2.0.0/16", "static:media/lab"],
    ["cluster:media/route", "10.0.0.0/8:<1-2>", "media/route#10.0.0.0/8:<1-2>", "media/route"],
  ] as const)("of %s at %s is %s", (backend, address, entity, id) => {
    expect(endpointEntity(backend, address)).toBe(entity);
    expect(backendId(backend)).toBe(id);
    expect(splitEndpoint(entity)).toEqual({ backend: id, address });
  });
});

describe("a backend", () => {
  it.each([
    [service, { kind: "Service", name: "media/sfu" }],
    [staticService, { kind: "StaticService", name: "media/lab" }],
  ])("%s is found again by its id", (backend, found) => expect(splitBackendId(backendId(backend))).toEqual(found));
});

describe("a listener", () => {
  it("is named by its Gateway and its section", () => {
    const entity = listenerEntity("media/gateway" as Name, "udp");
    expect(entity).toBe("media/gateway/udp");
    expect(splitListener(entity)).toEqual({ gateway: "media/gateway", listener: "udp" });
  });

  it.each(["udp", "gateway/udp", "a/b/c/d", "media//udp", "media/gateway/", ""])(
    "of the name %j in a config has no Gateway",
    (entity) => expect(splitListener(entity)).toBeUndefined(),
  );
});
