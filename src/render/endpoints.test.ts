import { describe, expect, it } from "vitest";
import { isEndpoint, portSuffix } from "./endpoints.ts";

describe("a port range", () => {
  it.each([
    [undefined, undefined, ""],
    [0, 70000, ""],
    [1, 65535, ""],
    [undefined, 65535, ""],
    [100, undefined, ":<100-100>"],
    [100, 50, ":<100-100>"],
    [100, 70000, ":<100-100>"],
    [100, 200, ":<100-200>"],
    [undefined, 200, ":<1-200>"],
  ])("from %s to %s is %j", (port, endPort, suffix) =>
    expect(portSuffix({ ...(port !== undefined && { port }), ...(endPort !== undefined && { endPort }) })).toBe(suffix),
  );
});

describe("an endpoint", () => {
  it.each(["1.2.3.4", "10.0.0.0/8", "1.2.3.4:<1-2>", "10.0.0.0/8:<1-2>", "2001:db8::/32", "2001:db8::7:<1-2>", "::"])(
    "may be %s",
    (text) => expect(isEndpoint(text)).toBe(true),
  );

  it.each([
    "",
    "foo",
    "1.2.3",
    "1.2.3.04",
    "1.2.3.256",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "2001:db8::/129",
    "1.2.3.4:80",
    "1::2::3",
    ":1",
    "1:2:3:4:5:6:7:8:9",
    "::1%eth0",
  ])("may not be %j", (text) => expect(isEndpoint(text)).toBe(false));
});
