import { createRequire } from "node:module";
import { expect, it } from "vitest";
import { createRelay } from "./create-relay.ts";

it("loads no package that reads STUN", () => {
  expect(createRelay).toBeTypeOf("function");
  const files = Object.keys(createRequire(import.meta.url).cache);
  expect(files.filter((file) => /node_modules\/(stun|binary-data)\//.test(file))).toEqual([]);
});
