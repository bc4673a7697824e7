/** What relays do without offload they do with it: suites of the relay once more, with its channels forwarded on `lo`. */
import { describe } from "vitest";
import { offloadOn } from "../support/offload.ts";
import { enterOwnNetwork } from "../support/network.ts";

// Before anything of these files looks at the network, or at what configs ask for.
enterOwnNetwork();
offloadOn("lo");

// Each with hooks of its own.
describe("relay", async () => void (await import("../../src/dataplane/relay.test.ts")));
describe("admission", async () => void (await import("../../src/dataplane/admission-steps.test.ts")));
describe("indications", async () => void (await import("../../src/dataplane/send-indication.test.ts")));
describe("threads", async () => void (await import("../../src/dataplane/workers/pool.test.ts")));
describe("mobility", async () => void (await import("../../src/dataplane/mobility.test.ts")));
