/** Headless Chromium, relay candidates only: a data channel, audio and video reach a WebRTC peer that a route names. */
import { createServer, type Server } from "node:http";
import { fileURLToPath } from "node:url";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { launchChromium } from "../support/chromium.ts";
import { startTestDataplane, type TestDataplane } from "../support/dataplane.ts";
import { startLive, type Live } from "../support/live.ts";

let live: Live;
let denied: Live;
let secure: TestDataplane;
let site: Server;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  [live, denied] = await Promise.all([
    startLive({ backends: [{ address: "127.0.0.1" }] }),
    startLive({ backends: [{ address: "127.0.0.77" }] }),
  ]);
  secure = await startTestDataplane();
  site = createServer((_, response) =>
    response.setHeader("content-type", "text/html").end("<!doctype html><title>call</title>"),
  );
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  browser = await launchChromium([secure.certificate.certificate]);
  page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
  await page.addScriptTag({ path: fileURLToPath(new URL("call.page.js", import.meta.url)) });
});
afterAll(async () => {
  await browser?.close();
  site?.close();
  await Promise.all([live?.stop(), denied?.stop(), secure?.stop()]);
});

interface Call {
  readonly state: string;
  readonly echoed: readonly string[];
  readonly audioPackets: number;
  readonly audioEnergy: number;
  readonly videoFrames: number;
  readonly localCandidate: string;
  readonly localAddress: string;
  readonly relayProtocol: string;
  readonly remoteCandidate: string;
}

const call = (urls: string): Promise<Call> => page.evaluate(`call(${JSON.stringify(urls)})`);

describe("Chromium", () => {
  it.each(["udp", "tcp"])("holds a call through the relay over %s: data channel, audio, video", async (transport) => {
    const result = await call(`turn:127.0.0.1:${live.port}?transport=${transport}`);
    expect(result.echoed).toEqual(["echo one", "echo two", "echo three"]);
    expect(result.audioPackets).toBeGreaterThanOrEqual(100);
    expect(result.audioEnergy).toBeGreaterThan(0);
    expect(result.videoFrames).toBeGreaterThanOrEqual(20);
    expect(result).toMatchObject({ localCandidate: "relay", relayProtocol: transport });
    // What Chromium calls its relayed address is an allocation of ours.
    await live.waitFor(() =>
      expect(live.facts).toContainEqual(
        expect.objectContaining({
          type: "allocation.closed",
          data: expect.objectContaining({
            relayed: result.localAddress,
            listener: `default/gateway/turn-${transport}`,
          }),
        }),
      ),
    );
  });

  it("holds a call through the relay over TLS", async () => {
    const result = await call(`turns:127.0.0.1:${secure.ports.tls}?transport=tcp`);
    expect(result.echoed).toEqual(["echo one", "echo two", "echo three"]);
    expect(result.audioPackets).toBeGreaterThanOrEqual(100);
    expect(result.videoFrames).toBeGreaterThanOrEqual(20);
    expect(result).toMatchObject({ localCandidate: "relay", relayProtocol: "tls" });
    expect(secure.facts).toContainEqual(
      expect.objectContaining({
        type: "allocation.opened",
        data: expect.objectContaining({ listener: "media/gateway/tls", relayed: result.localAddress }),
      }),
    );
  });

  it("holds a call through a relay that has IPv6 only, though it names no address family", async () => {
    // Not a fourth relay with the batch engine: each keeps a thread of libuv's pool, which has four.
    const ipv6 = await startTestDataplane({ address: "::1", endpoints: ["::1"] }, { engine: "dgram" });
    onTestFinished(() => ipv6.stop());
    const result = await call(`turn:[::1]:${ipv6.ports.udp}?transport=udp`);
    expect(result.echoed).toEqual(["echo one", "echo two", "echo three"]);
    expect(result.audioPackets).toBeGreaterThanOrEqual(100);
    expect(result.videoFrames).toBeGreaterThanOrEqual(20);
    expect(result).toMatchObject({ localCandidate: "relay" });
    expect(result.localAddress).toMatch(/^\[::1\]:\d+$/);
  });

  it("gets no call to a peer that no route names", async () => {
    const result = await call(`turn:127.0.0.1:${denied.port}?transport=udp`);
    expect(result.echoed).toEqual([]);
    expect(result.audioPackets).toBe(0);
    await denied.waitFor(() =>
      expect(denied.facts).toContainEqual(
        expect.objectContaining({ type: "peer.refused", data: expect.objectContaining({ user: "user-1" }) }),
      ),
    );
  });
});
