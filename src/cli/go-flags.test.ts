import { Command, InvalidArgumentError } from "commander";
import { describe, expect, it } from "vitest";
import { parseBindAddress, parseOptionalBindAddress } from "./go-flags.ts";

describe("a bind address", () => {
  it.each([
    [":8081", { host: "", port: 8081 }],
    ["127.0.0.1:8081", { host: "127.0.0.1", port: 8081 }],
    ["[::1]:8081", { host: "::1", port: 8081 }],
    ["localhost:65535", { host: "localhost", port: 65_535 }],
    ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ])("%j is %j", (text, address) => {
    expect(parseBindAddress(text)).toEqual(address);
    expect(parseOptionalBindAddress(text)).toEqual(address);
  });

  it.each(["8081", ":", ":65536", ":x", "::1:8081", "[127.0.0.1]:1", "[x]:1", "http://a:1", "a b:1", "127.0.0.1"])(
    "%j is refused",
    (text) => {
      expect(() => parseBindAddress(text)).toThrow(InvalidArgumentError);
      expect(() => parseOptionalBindAddress(text)).toThrow(InvalidArgumentError);
    },
  );

  it.each(["0", ""])("%j turns a server off that may be off, and is refused for one that may not", (text) => {
    const flags = (parse: (text: string) => unknown): unknown =>
      new Command()
        .exitOverride()
        .configureOutput({ writeErr: () => undefined })
        .option("--at <address>", "", parse, "default")
        .parse([`--at=${text}`], { from: "user" })
        .opts()["at"];
    expect(flags(parseOptionalBindAddress)).toBe("off");
    expect(() => flags(parseBindAddress)).toThrow("expected HOST:PORT or :PORT");
  });
});
