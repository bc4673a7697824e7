/** coturn's own client against our relay: UDP and TCP, channels and indications, static and ephemeral credentials. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createRelay } from "../../src/dataplane/create-relay.ts";
import { freePort } from "../support/free-port.ts";
import { startEchoBackend, startLive, type EchoBackend, type Live } from "../support/live.ts";
import { PATIENCE_MS } from "../support/patience.ts";

const run = promisify(execFile);
const CLIENTS = 3;
const MESSAGES = 50;

let echo: EchoBackend;
let fixed: Live;
let minted: Live;

beforeAll(async () => {
  echo = await startEchoBackend();
  [fixed, minted] = await Promise.all([
    startLive(),
    startLive({ auth: { authType: "ephemeral", sharedSecret: "a shared secret" } }),
  ]);
});
afterAll(async () => {
  await Promise.all([fixed.stop(), minted.stop()]);
  await echo.close();
});

/** -c: no RTCP companion; -z: milliseconds between packets. */
const uclient = async (
  port: number,
  peer: string,
  credentials: readonly string[],
  ...extra: readonly string[]
): Promise<string> => {
  const args = [
    "-c",
    "-e",
    peer,
    "-r",
    String(echo.port),
    "-n",
    String(MESSAGES),
    "-m",
    String(CLIENTS),
    "-l",
    "160",
    "-z",
    "5",
    ...credentials,
    ...extra,
    "-p",
    String(port),
    "127.0.0.1",
  ];
  const { stdout, stderr } = await run("turnutils_uclient", args, { timeout: PATIENCE_MS }).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return stdout + stderr;
};

const staticCredentials = ["-u", "user-1", "-w", "pass-1"];
const secretCredentials = ["-u", "user-1", "-W", "a shared secret"];

const transports = [
  ["UDP, channels", []],
  ["UDP, indications", ["-s"]],
  ["TCP, channels", ["-t"]],
  ["TCP, indications", ["-t", "-s"]],
] as const;

describe.each([
  ["static", staticCredentials, () => fixed],
  ["ephemeral", secretCredentials, () => minted],
] as const)("turnutils_uclient with %s credentials", (_, credentials, live) => {
  it.concurrent.each(transports)("echoes through to a routed backend without loss: %s", async (_transport, flags) => {
    const output = await uclient(live().port, "127.0.0.1", credentials, ...flags);
    const expected = CLIENTS * MESSAGES;
    expect(output).toContain(`tot_send_msgs=${expected}, tot_recv_msgs=${expected}`);
    expect(output).toContain("Total lost packets 0 (0.000000%)");
  });

  it.concurrent.each(transports)(
    "is refused with 403 for a peer that no route names: %s",
    async (_transport, flags) => {
      const output = await uclient(live().port, "127.0.0.9", credentials, "-m", "1", ...flags);
      expect(output).toMatch(/error 403/);
      expect(output).not.toMatch(/tot_recv_msgs=[1-9]/);
    },
  );
});

it("turnutils_uclient with a wrong password is refused with 401", async () => {
  const output = await uclient(fixed.port, "127.0.0.1", ["-u", "user-1", "-w", "wrong"], "-m", "1");
  expect(output).toContain("Cannot complete Allocation");
  const refusals = Object.entries(fixed.standalone.state().relay.refused).filter(([reason]) =>
    reason.startsWith("401"),
  );
  expect(refusals.length, JSON.stringify(fixed.standalone.state().relay.refused)).toBeGreaterThan(0);
  expect(output).not.toMatch(/tot_recv_msgs=[1-9]/);
});

it("turnutils_uclient reaches an IPv6 backend through an IPv6 listener", async () => {
  const [backend, dual] = await Promise.all([
    startEchoBackend("::1"),
    startLive({ backends: [{ address: "::1" }] }, ["127.0.0.1", "::1"]),
  ]);
  const args = [
    "-c",
    "-x",
    "-e",
    "::1",
    "-r",
    String(backend.port),
    "-n",
    "20",
    "-m",
    "2",
    "-l",
    "160",
    "-z",
    "5",
    ...staticCredentials,
  ];
  const { stdout } = await run("turnutils_uclient", [...args, "-p", String(dual.port), "::1"], {
    timeout: PATIENCE_MS,
  });
  expect(stdout).toContain("tot_send_msgs=40, tot_recv_msgs=40");
  await dual.stop();
  await backend.close();
});

it("turnutils_uclient moves every allocation to another port (RFC 8016), without loss", async () => {
  const output = await uclient(fixed.port, "127.0.0.1", staticCredentials, "-M");
  const expected = CLIENTS * MESSAGES;
  expect(output).toContain(`tot_send_msgs=${expected}, tot_recv_msgs=${expected}`);
  expect(output).toContain("Total lost packets 0 (0.000000%)");
  await fixed.waitFor(() =>
    expect(fixed.facts.filter(({ type }) => type === "allocation.moved")).toHaveLength(CLIENTS),
  );
});

it("a refusal is in the log with its reason", async () => {
  await uclient(fixed.port, "10.99.0.1", staticCredentials, "-m", "1");
  await fixed.waitFor(() =>
    expect(fixed.facts).toContainEqual(
      expect.objectContaining({
        type: "peer.refused",
        data: expect.objectContaining({ user: "user-1", reason: expect.stringContaining("10.99.0.1") }),
      }),
    ),
  );
});

it("turnutils_stunclient learns its address without credentials", async () => {
  const { stdout } = await run("turnutils_stunclient", ["-p", String(fixed.port), "127.0.0.1"], {
    timeout: PATIENCE_MS,
  });
  expect(stdout).toMatch(/reflexive addr: 127\.0\.0\.1/);
});

/** A relay that drains, and sends its clients to port `to`. */
const startDraining = async (
  to: number,
): Promise<{ readonly port: number; readonly sentOn: () => Promise<number> }> => {
  const own = ["127.0.0.1"];
  const port = await freePort("127.0.0.1");
  const relay = createRelay({
    place: { by: "addresses", bind: own, relay: own },
    own,
    log: pino({ level: "silent" }),
    alternateServers: [{ address: "127.0.0.1", port: to }],
  });
  onTestFinished(() => relay.close());
  await relay.apply({
    version: "v1",
    admin: { name: "ns/gw" },
    auth: { type: "static", realm: "elsewhere", credentials: { username: "user-1", password: "pass-1" } },
    listeners: (["TURN-UDP", "TURN-TCP"] as const).map((protocol) => ({
      name: `ns/gw/${protocol}`,
      protocol,
      address: "127.0.0.1",
      port,
      routes: [],
    })),
    clusters: [],
  });
  relay.drain();
  return { port, sentOn: async () => (await relay.summary()).refused["300 try-alternate"] ?? 0 };
};

it.each([transports[0], transports[2]])("turnutils_uclient follows a relay that drains: %s", async (_, flags) => {
  const draining = await startDraining(fixed.port);
  const output = await uclient(draining.port, "127.0.0.1", staticCredentials, ...flags);
  const expected = CLIENTS * MESSAGES;
  expect(output).toContain(`tot_send_msgs=${expected}, tot_recv_msgs=${expected}`);
  expect(await draining.sentOn()).toBeGreaterThan(0);
});
