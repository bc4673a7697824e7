import { describe, expect, it } from "vitest";
import { parseServerUri } from "./turn-uri.ts";

const show = (uri: string): string => {
  const { host, port, transport, username, password } = parseServerUri(uri);
  return [host, port, transport, username, password].join(" ").trimEnd();
};

describe("the URI of a TURN server", () => {
  it.each([
    ["turn:turn.example.com", "turn.example.com 3478 udp"],
    ["turn:turn.example.com:3479?transport=tcp", "turn.example.com 3479 tcp"],
    ["turn://user:pass@1.2.3.4", "1.2.3.4 3478 udp user pass"],
    ["turn://user:pass@1.2.3.4:80?transport=udp", "1.2.3.4 80 udp user pass"],
    ["turn://1.2.3.4?transport=tls", "1.2.3.4 443 tls"],
    ["turn://1.2.3.4?transport=DTLS", "1.2.3.4 443 dtls"],
    ["turns:1.2.3.4", "1.2.3.4 443 tls"],
    ["turns:1.2.3.4?transport=tcp", "1.2.3.4 443 tls"],
    ["turns:1.2.3.4:5349?transport=udp", "1.2.3.4 5349 dtls"],
    ["turn://us%3Aer:p%40ss@[fd00::1]:3478", "fd00::1 3478 udp us:er p@ss"],
    ["turn://user:p:a@ss$1@1.2.3.4", "1.2.3.4 3478 udp user p:a@ss$1"],
  ])("%s", (uri, parts) => {
    expect(show(uri)).toBe(parts);
  });

  it.each([
    "",
    "http://1.2.3.4",
    "turn:",
    "turn://user:pass@",
    "turn:1.2.3.4:0",
    "turn:1.2.3.4:99999",
    "turn:1.2.3.4?transport=sctp",
    "turn:1.2.3.4/path",
  ])("is refused when it is %j", (uri) => {
    expect(() => parseServerUri(uri)).toThrow(/expected turn:/);
  });
});
