import { describe, expect, it } from "vitest";
import { parsePortMap, readPortAnnotation } from "./port-map.ts";

describe("a port map", () => {
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

describe("a port annotation", () => {
  it("reports each entry that is not a port by itself", () => {
    const { ports, invalid, isMalformed } = readPortAnnotation(
      '{"a":1,"b":0,"c":70000,"d":"3478","e":1.5,"f":null,"g":65535,"h":-1}',
    );
    expect([...ports]).toEqual([
      ["a", 1],
      ["g", 65_535],
    ]);
    expect(Object.fromEntries(invalid)).toEqual({ b: "0", c: "70000", d: '"3478"', e: "1.5", f: "null", h: "-1" });
    expect(isMalformed).toBe(false);
  });

  it.each(["[1]", '"dummy"', "udp=30478", '["a":1', "{"])("is malformed as a whole: %s", (text) =>
    expect(readPortAnnotation(text)).toMatchObject({ isMalformed: true }),
  );

  it.each([undefined, "", " ", "{}"])("may be empty: %j", (text) =>
    expect(readPortAnnotation(text)).toMatchObject({ isMalformed: false }),
  );
});
