import { expect, it } from "vitest";
import { parsePeer } from "./peer.ts";

it.each([
  ["10.1.0.7", "10.1.0.7", undefined],
  ["10.1.0.7:5000", "10.1.0.7", 5000],
  ["fd00::7", "fd00::7", undefined],
  ["[fd00::7]:65535", "fd00::7", 65_535],
  ["fd00::7:5000", "fd00::7:5000", undefined],
] as const)("%s is the address %s and the port %s", (text, address, port) => {
  expect(parsePeer(text)?.peer.text).toBe(address);
  expect(parsePeer(text)?.port).toBe(port);
});

it.each(["", "pod-7", "10.1.0.7:", "10.1.0.7:0", "10.1.0.7:65536", "10.1.0.7:http", "10.1.0.0/16", "[fd00::7]"])(
  "%j is not a peer",
  (text) => expect(parsePeer(text)).toBeUndefined(),
);
