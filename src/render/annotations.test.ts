import { describe, expect, it } from "vitest";
import { parsePortMap } from "./annotations.ts";

describe("a port map (SV-60)", () => {
  it.each(['{"a":1,"b":2,"c":1000}', '"a":1,"b":2,"c":1000', ' { "a": 1, "b": 2, "c": 1000 } '])("may be %s", (text) =>
    expect([...parsePortMap(text)]).toEqual([
      ["a", 1],
      ["b", 2],
      ["c", 1000],
    ]),
  );

  it.each([undefined, "", "{}", " "])("may be empty: %j", (text) => expect(parsePortMap(text).size).toBe(0));

  it.each([
    '["a":1',
    '"dummy"',
    "dummy",
    '{"a":{"b":1}}',
    '{"a":1.5}',
    '{"a":"1"}',
    '{"a":1,"b":null}',
    "[1]",
    "udp=30478",
  ])("is empty if it is malformed: %s", (text) => expect(parsePortMap(text).size).toBe(0));
});
