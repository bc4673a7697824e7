/** `turnpike probe` through a live relay, over every transport. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { turnpike } from "../support/commands.ts";
import { startTestDataplane, type TestDataplane } from "../support/dataplane.ts";
import { startEchoBackend, type EchoBackend } from "../support/live.ts";

let relay: TestDataplane;
let echo: EchoBackend;
let folder: string;
let authority: string;
beforeAll(async () => {
  relay = await startTestDataplane({ endpoints: ["127.0.0.1"] });
  echo = await startEchoBackend();
  folder = mkdtempSync(join(tmpdir(), "turnpike-probe-"));
  authority = join(folder, "ca.pem");
  writeFileSync(authority, relay.certificate.certificate);
});
afterAll(async () => {
  await relay?.stop();
  await echo?.close();
  rmSync(folder, { recursive: true, force: true });
});

const probe = (uri: string, ...args: readonly string[]) =>
  turnpike(["probe", uri, "--peer", `${echo.address}:${echo.port}`, ...args]);

describe("turnpike probe", () => {
  it.each(["udp", "tcp", "tls", "dtls"] as const)("goes through over %s", async (transport) => {
    const uri = `turn:127.0.0.1:${relay.ports[transport]}?transport=${transport}`;
    const { code, stdout, stderr } = await probe(uri, "--ca-file", authority, "--sni", "localhost");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`over ${transport}`);
    expect(stdout).toContain("10 of 10 echoed, 0 lost");
  });

  it.each(["tcp", "udp"] as const)("takes turns: with %s and credentials from the URI", async (transport) => {
    const port = relay.ports[transport === "tcp" ? "tls" : "dtls"];
    const { code, stdout } = await probe(`turns:user-1:pass-1@127.0.0.1:${port}?transport=${transport}`, "-i");
    expect(code).toBe(0);
    expect(stdout).toContain(`over ${transport === "tcp" ? "tls" : "dtls"}`);
  });

  it("says that it does not trust a certificate", async () => {
    const { code, stderr } = await probe(`turns:127.0.0.1:${relay.ports.tls}`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/connect to 127\.0\.0\.1:\d+ over tls: .*(self-signed|certificate)/i);
  });
});
