/** What relays do without offload they do with it: suites of the relay once more, with its channels forwarded on `lo`. */
import { offloadOn } from "../support/offload.ts";
import { enterOwnNetwork } from "../support/network.ts";

// Before anything of these files looks at the network, or at what configs ask for.
enterOwnNetwork();
offloadOn("lo");

await import("../../src/dataplane/relay.test.ts");
await import("../../src/dataplane/admission-steps.test.ts");
await import("../../src/dataplane/send-indication.test.ts");
await import("../../src/dataplane/workers/pool.test.ts");
