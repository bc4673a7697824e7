import pino from "pino";
import { expect, it, vi } from "vitest";
import { eventually } from "../../test/support/eventually.ts";
import type { Core } from "../core/core.ts";
import { nodeAddresses } from "./node-addresses.ts";

type Address = readonly [type: string, address: string];

const coreWith = (...addresses: readonly Address[]): Pick<Core, "view"> => {
  const node = { status: { addresses: addresses.map(([type, address]) => ({ type, address })) } };
  return {
    view: { get: (kind: string, name: string) => (kind === "Node" && name === "node1" ? node : undefined) },
  } as never;
};
const log = pino({ level: "silent" });

it("are the first ExternalIP of each family, and none of a node that has none or is not known", () => {
  const of = (...addresses: readonly Address[]) => nodeAddresses(coreWith(...addresses), () => undefined, log);
  const some = [
    ["InternalIP", "10.0.0.1"],
    ["ExternalDNS", "localhost"],
    ["ExternalIP", "203.0.113.1"],
    ["ExternalIP", "203.0.113.2"],
  ] as const;
  expect(of(...some)("node1")).toEqual(["203.0.113.1"]);
  expect(of(...some, ["ExternalIP", "2001:db8::1"], ["ExternalIP", "2001:db8::2"])("node1")).toEqual([
    "203.0.113.1",
    "2001:db8::1",
  ]);
  expect(of(...some)("node2")).toEqual([]);
  expect(of(["InternalIP", "10.0.0.1"])("node1")).toEqual([]);
});

it("are those of the ExternalDNS name, once that is resolved", async () => {
  const changed = vi.fn<(node: string) => void>();
  const addressOf = nodeAddresses(coreWith(["ExternalDNS", "localhost"]), changed, log);
  expect(addressOf("node1")).toEqual([]);
  await eventually(() => expect(changed.mock.calls).toEqual([["node1"]]));
  expect(addressOf("node1").length).toBeGreaterThan(0);
  for (const address of addressOf("node1")) expect(["127.0.0.1", "::1"]).toContain(address);
  expect(changed).toHaveBeenCalledTimes(1);
});

it("stay unknown while the name cannot be resolved, and the log says so", async () => {
  const warn = vi.fn<() => void>();
  const addressOf = nodeAddresses(coreWith(["ExternalDNS", "node.invalid"]), () => undefined, { warn } as never);
  addressOf("node1");
  await eventually(() => expect(warn).toHaveBeenCalledTimes(1));
  expect(addressOf("node1")).toEqual([]);
});
