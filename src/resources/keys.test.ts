import { expect, it } from "vitest";
import { keyOf, nameOf, parseName, splitKey, splitName, targetOf } from "./keys.ts";

it.each([
  ["media", "sfu", "media/sfu"],
  [undefined, "node-1", "node-1"],
] as const)("the name of %s and %s is %s, and is split again", (namespace, name, text) => {
  expect(nameOf(namespace, name)).toBe(text);
  expect(splitName(nameOf(namespace, name))).toEqual({ namespace: namespace ?? "", name });
});

it.each([
  ["Gateway", "media", "sfu", "Gateway/media/sfu"],
  ["Node", undefined, "node-1", "Node/node-1"],
] as const)("the key of %s %s/%s is %s, and is split again", (kind, namespace, name, text) => {
  const key = keyOf(kind, nameOf(namespace, name));
  expect(key).toBe(text);
  expect(splitKey(key)).toEqual({ kind, name: nameOf(namespace, name) });
});

it.each([
  ["service:media/sfu", "media/sfu"],
  ["cluster:media/route", "media/route"],
  ["owner:media/gateway", "media/gateway"],
] as const)("the target of %s is %s", (reference, target) => expect(targetOf(reference)).toBe(target));

it("a name is NAMESPACE/NAME and nothing else", () => {
  expect(parseName("media/sfu")).toBe("media/sfu");
  for (const text of ["", "sfu", "/sfu", "media/", "media//sfu", "media/sfu/udp"])
    expect(parseName(text)).toBeUndefined();
});
