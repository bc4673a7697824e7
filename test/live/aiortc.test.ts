/** aiortc, a WebRTC stack in Python, relay candidates only: data channels to a peer that an endpoint names. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pythonWithAiortc } from "../interop/python.ts";
import { credentials, startTestDataplane, type TestDataplane } from "../support/dataplane.ts";
import { enterOwnNetwork, HOST_ADDRESS } from "../support/network.ts";
import { PATIENCE_MS } from "../support/patience.ts";

const run = promisify(execFile);

let python: string;
let dataplane: TestDataplane;
let folder: string;

beforeAll(async () => {
  python = await pythonWithAiortc();
  // It offers no loopback addresses: the network has another one.
  enterOwnNetwork();
  dataplane = await startTestDataplane({ address: HOST_ADDRESS, endpoints: [HOST_ADDRESS] });
  folder = mkdtempSync(join(tmpdir(), "turnpike-aiortc-"));
  writeFileSync(join(folder, "authority.pem"), dataplane.certificate.certificate);
});
afterAll(async () => {
  await dataplane?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it.each([
  ["udp", "turn", "udp"],
  ["tcp", "turn", "tcp"],
  ["tls", "turns", "tcp"],
] as const)("aiortc holds a call through the relay over %s", async (name, scheme, transport) => {
  const url = `${scheme}:${HOST_ADDRESS}:${dataplane.ports[name]}?transport=${transport}`;
  const script = fileURLToPath(new URL("../interop/aiortc/call.py", import.meta.url));
  const { stdout } = await run(python, [script, url, credentials.username, credentials.password], {
    timeout: PATIENCE_MS,
    env: { ...process.env, SSL_CERT_FILE: join(folder, "authority.pem") },
  });
  expect(stdout).toBe("20 of 20 echoed\n");
  const listener = `media/gateway/${name}`;
  expect(dataplane.facts).toContainEqual(
    expect.objectContaining({ type: "allocation.opened", data: expect.objectContaining({ listener }) }),
  );
});
