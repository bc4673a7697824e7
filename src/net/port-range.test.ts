import { expect, it } from "vitest";
import { parsePortRange } from "./port-range.ts";

it.each([
  ["49152-65535", { first: 49_152, last: 65_535 }],
  ["5000-5000", { first: 5000, last: 5000 }],
  ["5001-5000", undefined],
  ["0-10", undefined],
  ["1-65536", undefined],
  ["5000", undefined],
  ["5000-", undefined],
  [" 5000-5001", undefined],
])("%s as a range of ports", (text, range) => expect(parsePortRange(text)).toEqual(range));
