import { expect, it } from "vitest";
import { configOf } from "../../test/support/discovery.ts";
import { configForNode } from "./config-for-node.ts";
import { readConfig } from "./document.ts";
import { encodeConfig } from "./protocol.ts";

const alternates = Array.from({ length: 9 }, (_, place) => ({
  node: `n${place + 1}`,
  addresses: [`203.0.113.${place + 1}`, `2001:db8::${place + 1}`],
}));
const config = { ...configOf("ns/gw"), alternates };

const nodesFor = (node: string): readonly (string | undefined)[] =>
  configForNode(config, node, []).alternates?.map((one) => one.node) ?? [];

it("a dataplane gets the others, at most eight", () => {
  expect(nodesFor("n1")).toEqual(["n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"]);
  expect(nodesFor("n5")).toEqual(["n1", "n2", "n3", "n4", "n6", "n7", "n8", "n9"]);
  expect(nodesFor("elsewhere")).toEqual(["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"]);
});

it("alternates arrive as they were sent; the document has none if there are none", () => {
  expect(readConfig(JSON.parse(encodeConfig(config))).alternates).toEqual(alternates);
  const { alternates: _, ...without } = config;
  expect(encodeConfig({ ...config, alternates: [] })).toBe(encodeConfig(without));
  expect(readConfig(JSON.parse(encodeConfig(without)))).not.toHaveProperty("alternates");
});

it.each([
  ["a word", "alternates is no list"],
  [[{ node: "n1" }], "alternates[0]: missing addresses"],
  [
    [
      { node: "n1", addresses: ["203.0.113.1"] },
      { node: "n2", addresses: ["turn.example.org"] },
    ],
    "alternates[1]:",
  ],
])("refuses %j", (malformed, message) =>
  expect(() => readConfig({ ...JSON.parse(encodeConfig(config)), alternates: malformed })).toThrow(message),
);
