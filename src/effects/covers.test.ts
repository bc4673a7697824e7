import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { covers } from "./covers.ts";

const ports = new Set(["ports"]);

describe("the live object covers the desired one", () => {
  it.each<readonly [string, unknown, unknown]>([
    ["and may have more", { a: 1, b: { c: 2, d: 3 } }, { b: { c: 2 } }],
    [
      "whatever the order of named items",
      { env: [{ name: "b" }, { name: "a", value: "1" }] },
      { env: [{ name: "a" }] },
    ],
    [
      "beside items that others added",
      { containers: [{ name: "sidecar" }, { name: "x" }] },
      { containers: [{ name: "x" }] },
    ],
    ["when the API server left out what is empty", {}, { a: "", b: false, c: [], d: {} }],
    ["where nothing is desired", { a: 1 }, { a: undefined }],
    ["item by item where they are plain", { args: ["-w", "-x"] }, { args: ["-w", "-x"] }],
    ["and defaults inside of items", { ports: [{ port: 1, nodePort: 30_000 }] }, { ports: [{ port: 1 }] }],
    [
      "told apart by port where there is no name",
      { ports: [{ port: 1 }, { port: 2 }] },
      { ports: [{ port: 2 }, { port: 1 }] },
    ],
    [
      "one by one where nothing tells items apart",
      { matchExpressions: [{ key: "app", operator: "In", values: ["x"] }] },
      { matchExpressions: [{ key: "app", operator: "In", values: ["x"] }] },
    ],
  ])("%s", (_, present, wanted) => expect(covers(present, wanted, ports)).toBe(true));
});

describe("the live object does not cover the desired one", () => {
  it.each<readonly [string, unknown, unknown]>([
    ["when a value differs", { a: { b: 1 } }, { a: { b: 2 } }],
    ["when something is missing", { a: 1 }, { a: 1, b: 0 }],
    ["when it is there in vain", { hostNetwork: true }, { hostNetwork: false }],
    ["when it was emptied", { a: "x" }, { a: "" }],
    ["when an item is missing", { env: [{ name: "a" }] }, { env: [{ name: "a" }, { name: "b" }] }],
    ["when an item differs", { env: [{ name: "a", value: "1" }] }, { env: [{ name: "a", value: "2" }] }],
    ["when a list that is exact has more", { ports: [{ port: 1 }, { port: 2 }] }, { ports: [{ port: 1 }] }],
    ["when plain items are more, fewer or in another order", { args: ["a", "b"] }, { args: ["b", "a"] }],
    ["when plain items were taken away", { args: ["a", "b"] }, { args: ["a"] }],
    ["when plain items were all taken away", { args: ["a"] }, { args: [] }],
    ["when it is of another shape", { a: [1] }, { a: { b: 1 } }],
    [
      "when one of those that nothing tells apart was taken away",
      { tolerations: [{ key: "a" }, { key: "b" }] },
      { tolerations: [{ key: "a" }] },
    ],
    ["when it is null", { a: null }, { a: { b: 1 } }],
  ])("%s", (_, present, wanted) => expect(covers(present, wanted, ports)).toBe(false));
});

it("anything covers itself", () => {
  // Items without a name cannot be distinguished; Kubernetes has none where we write.
  const value = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 2 }, fc.string(), fc.integer(), fc.boolean(), tie("object"), tie("list")),
    object: fc.dictionary(fc.string({ minLength: 1 }), tie("value"), { maxKeys: 3 }),
    list: fc.uniqueArray(fc.record({ name: fc.string(), value: tie("value") }), {
      selector: ({ name }) => name,
      maxLength: 3,
    }),
  })).object;
  fc.assert(fc.property(value, (one) => covers(one, structuredClone(one), ports)));
});
