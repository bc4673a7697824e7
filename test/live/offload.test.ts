/** Live calls once more, with their channels forwarded on `lo`: other people's clients, changes under calls, zero loss. */
import { describe, expect, it, onTestFinished } from "vitest";
import type { RelayState } from "../../src/dataplane/relay.ts";
import { pastOf } from "../../src/explain/past.ts";
import { buildPion } from "../interop/go.ts";
import { startTestDataplane } from "../support/dataplane.ts";
import { eventually } from "../support/eventually.ts";
import { startEchoBackend, startLive } from "../support/live.ts";
import { enterOwnNetwork } from "../support/network.ts";
import { offloadOn } from "../support/offload.ts";
import { startStream } from "../support/stream.ts";

// What is downloaded comes over the network of the machine.
await buildPion("client");
// Before anything of these files looks at the network, or at what configs ask for.
enterOwnNetwork();
offloadOn("lo");

it("the kernel forwards calls of these suites", async () => {
  const echo = await startEchoBackend();
  onTestFinished(() => echo.close());
  const live = await startLive();
  onTestFinished(() => live.stop());
  const started = await startTestDataplane();
  onTestFinished(() => started.stop());
  const { relay } = started.dataplane;
  const waysOf = (allocations: RelayState["allocations"]) =>
    allocations.flatMap(({ channels }) => channels.map(({ way }) => way));
  for (const { port, ways } of [
    { port: live.port, ways: () => waysOf(live.standalone.state().allocations) },
    { port: started.ports.udp, ways: () => waysOf(relay.state().allocations) },
  ]) {
    const call = await startStream({ host: "127.0.0.1", port, username: "user-1", password: "pass-1" }, echo);
    onTestFinished(() => call.stop());
    await call.flows(10);
    await eventually(() => expect(ways()).toEqual(["kernel"]));
  }
  expect(started.facts.find(({ type }) => type === "offload.changed")?.data).toEqual({
    engine: "TC",
    interfaces: [{ name: "lo", engine: "TC" }],
  });
  expect(pastOf(live.lines())?.offload?.says).toBe(
    "the kernel forwards channels over UDP (TC on lo), user space relays the rest",
  );
});

// Each with hooks of its own.
describe("clients of others", async () => void (await import("./interop.test.ts")));
describe("zero loss", async () => void (await import("./zero-drop.test.ts")));
describe("hot changes", async () => void (await import("./hot-changes.test.ts")));
