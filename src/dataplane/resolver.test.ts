import pino from "pino";
import { expect, it } from "vitest";
import { Resolver } from "./resolver.ts";

it("looks names up, tells of a change, and forgets what is not asked for", async () => {
  let changes = 0;
  const resolver = new Resolver(() => changes++, pino({ level: "silent" }));
  resolver.watch(new Set(["127.0.0.1", "name.invalid"]));
  expect(resolver.addresses(["127.0.0.1"])).toEqual([]);
  await expect.poll(() => changes).toBe(1);
  expect(resolver.addresses(["127.0.0.1", "name.invalid"])).toEqual(["127.0.0.1"]);
  resolver.watch(new Set());
  expect(resolver.addresses(["127.0.0.1"])).toEqual([]);
});
