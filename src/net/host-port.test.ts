import { describe, expect, it } from "vitest";
import { formatHostPort, parseHostPort } from "./host-port.ts";

describe("an address", () => {
  it.each([
    ["discovery", "discovery:13478"],
    ["discovery.example.org", "discovery.example.org:13478"],
    ["discovery.example.org.", "discovery.example.org.:13478"],
    ["discovery.example.org:80", "discovery.example.org:80"],
    ["10.0.0.1", "10.0.0.1:13478"],
    ["10.0.0.1:8080", "10.0.0.1:8080"],
    ["fd00::1", "[fd00::1]:13478"],
    ["[fd00::1]", "[fd00::1]:13478"],
    ["[fd00::1]:8080", "[fd00::1]:8080"],
    ["::ffff:10.0.0.1", "[::ffff:10.0.0.1]:13478"],
  ])("of %s is %s", (text, formatted) => {
    const address = parseHostPort(text);
    expect(address && formatHostPort({ port: 13_478, ...address })).toBe(formatted);
  });

  it.each([
    "",
    ":13478",
    "host:",
    "host:0",
    "host:65536",
    "host:port",
    "host:13478:13478",
    "http://host",
    "host/path",
    "user@host",
    "two hosts",
    "10.0.0.256",
    "[10.0.0.1]:80",
    "[fd00::1",
    "fd00:::1",
    "-host",
  ])("refuses %j", (text) => {
    expect(parseHostPort(text)).toBeUndefined();
  });
});
