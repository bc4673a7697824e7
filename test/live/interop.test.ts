/** TURN clients that we did not write, each over each transport: coturn's and one on pion/turn. Prints a table. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ClusterConfig } from "../../src/resources/dataplane-config.ts";
import { buildPion } from "../interop/go.ts";
import {
  credentials,
  startTestDataplane,
  transports,
  type TestDataplane,
  type TransportName,
} from "../support/dataplane.ts";
import { eventually } from "../support/eventually.ts";
import { engines, offload } from "../support/offload.ts";
import { startEchoBackend, type EchoBackend } from "../support/live.ts";
import { PATIENCE_MS } from "../support/patience.ts";

const run = promisify(execFile);
const MESSAGES = 20;

const table: (readonly [client: string, engine: string, transport: string, outcome: string])[] = [];
let echo: EchoBackend;
let tcpEcho: Server;
let tcpEchoPort: number;
let pion: string;
let dataplanes: Readonly<Record<"batch" | "dgram", TestDataplane>>;
/** As above, with nothing but IPv6. */
let echo6: EchoBackend;
let dataplanes6: typeof dataplanes;

beforeAll(async () => {
  pion = await buildPion("client");
  echo = await startEchoBackend();
  tcpEcho = createServer((socket) => void socket.on("error", () => undefined).pipe(socket)).listen(0, "127.0.0.1");
  await once(tcpEcho, "listening");
  tcpEchoPort = (tcpEcho.address() as { port: number }).port;
  const clusters: readonly ClusterConfig[] = (["UDP", "TCP"] as const).map((protocol) => ({
    name: `media/${protocol.toLowerCase()}`,
    type: "STATIC",
    protocol,
    endpoints: ["127.0.0.1"],
  }));
  dataplanes = {
    batch: await startTestDataplane({ clusters }, { engine: "batch" }),
    dgram: await startTestDataplane({ clusters }, { engine: "dgram" }),
  };
  echo6 = await startEchoBackend("::1");
  dataplanes6 = {
    batch: await startTestDataplane({ address: "::1", endpoints: ["::1"] }, { engine: "batch" }),
    dgram: await startTestDataplane({ address: "::1", endpoints: ["::1"] }, { engine: "dgram" }),
  };
});
afterAll(async () => {
  const all = [...Object.values(dataplanes ?? {}), ...Object.values(dataplanes6 ?? {})];
  await Promise.all(all.map((one) => one.stop()));
  await echo?.close();
  await echo6?.close();
  tcpEcho?.close();
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  process.stdout.write(`\n${lines.join("\n")}\n`);
});

const output = async (command: string, args: readonly string[]): Promise<string> => {
  const { stdout, stderr } = await run(command, args, { timeout: PATIENCE_MS }).catch(
    (error: { readonly stdout: string; readonly stderr: string }) => error,
  );
  return stdout + stderr;
};

const uclientFlags: Readonly<Record<TransportName, readonly string[]>> = {
  udp: [],
  tcp: ["-t"],
  tls: ["-t", "-S"],
  dtls: ["-S"],
};

const uclient = (
  port: number,
  peer: string,
  flags: readonly string[],
  { port: peerPort, address }: EchoBackend = echo,
): Promise<string> =>
  output(
    "turnutils_uclient",
    [
      ["-c", "-n", String(MESSAGES), "-m", "2", "-l", "160", "-z", "5", "-e", peer, "-r", String(peerPort)],
      ["-u", credentials.username, "-w", credentials.password, ...flags, "-p", String(port), address],
    ].flat(),
  );

const EXPECTED = 2 * MESSAGES;

/**
 * So many messages came back, as `uclient` counts them. Over TLS it takes one message of all that a read brings and calls the
 * rest lost, which happens whenever it is slower than the relay; there the relay's own count says.
 */
const echoed = async (
  transport: TransportName,
  { facts }: TestDataplane,
  speak: () => Promise<string>,
): Promise<number> => {
  const before = facts.length;
  const said = await speak();
  const [, sent, received] = /start_mclient: tot_send_msgs=(\d+), tot_recv_msgs=(\d+)/.exec(said) ?? [];
  expect(Number(sent)).toBe(EXPECTED);
  expect(Number(received)).toBeGreaterThan(0);
  if (transport !== "tls") {
    expect(said).toContain("Total lost packets 0 (0.000000%)");
    return Number(received);
  }
  return eventually(() => {
    const closed = facts.slice(before).filter((fact) => fact.type === "allocation.closed");
    expect(closed.reduce((sum, { data }) => sum + data.packetsIn, 0)).toBeGreaterThanOrEqual(EXPECTED);
    return closed.reduce((sum, { data }) => sum + data.packetsOut, 0);
  });
};

describe.each(engines())("with the %s engine", (engine) => {
  // What comes over other transports is not forwarded in the kernel.
  describe.each(offload().offload_engine === undefined ? transports : (["udp"] as const))("over %s", (transport) => {
    it.each([
      ["channels", []],
      ["indications", ["-s"]],
    ] as const)("turnutils_uclient echoes by %s, and loses nothing", async (how, flags) => {
      const dataplane = dataplanes[engine];
      const count = await echoed(transport, dataplane, () =>
        uclient(dataplane.ports[transport], "127.0.0.1", [...uclientFlags[transport], ...flags]),
      );
      expect(count).toBe(EXPECTED);
      table.push([`turnutils_uclient, ${how}`, engine, transport, `${count} of ${EXPECTED} echoed`]);
    });

    it("turnutils_uclient echoes over IPv6", async () => {
      const dataplane = dataplanes6[engine];
      const count = await echoed(transport, dataplane, () =>
        uclient(dataplane.ports[transport], "::1", [...uclientFlags[transport], "-x"], echo6),
      );
      expect(count).toBe(EXPECTED);
      table.push(["turnutils_uclient, IPv6", engine, transport, `${count} of ${EXPECTED} echoed`]);
    });

    it("turnutils_uclient is refused a peer that no route names", async () => {
      const said = await uclient(dataplanes[engine].ports[transport], "127.0.0.9", uclientFlags[transport]);
      expect(said).toMatch(/error 403/);
      expect(said).not.toMatch(/tot_recv_msgs=[1-9]/);
    });

    it("a client on pion/turn echoes", async () => {
      const { ports } = dataplanes[engine];
      const peer = `127.0.0.1:${echo.port}`;
      const said = await output(pion, [
        "-server",
        `127.0.0.1:${ports[transport]}`,
        "-transport",
        transport,
        "-peer",
        peer,
      ]);
      expect(said).toMatch(/^20 of 20 echoed, seen as 127\.0\.0\.1:\d+\n$/);
      table.push(["pion/turn v5", engine, transport, "20 of 20 echoed"]);
    });
  });

  describe.each(["tcp", "tls"] as const)("over %s, to a TCP peer (RFC 6062)", (transport) => {
    it("a client on pion/turn echoes", async () => {
      const { ports } = dataplanes[engine];
      const server = `127.0.0.1:${ports[transport]}`;
      const to = ["-relaying", "tcp", "-transport", transport, "-peer", `127.0.0.1:${tcpEchoPort}`];
      const said = await output(pion, ["-server", server, ...to]);
      expect(said).toMatch(/^20 of 20 echoed, seen as 127\.0\.0\.1:\d+\n$/);
      table.push(["pion/turn v5, TCP peer", engine, transport, "20 of 20 echoed"]);
    });
  });

  // Over TLS it draws a version for each connection, of which half are too old for us.
  it("turnutils_uclient echoes over tcp with another client as TCP peer (RFC 6062)", async () => {
    const said = await uclient(dataplanes[engine].ports.tcp, "127.0.0.1", ["-T"]);
    const expected = 2 * MESSAGES;
    expect(said).toContain(`tot_send_msgs=${expected}, tot_recv_msgs=${expected}`);
    expect(said).toContain("Total lost packets 0 (0.000000%)");
    table.push(["turnutils_uclient, TCP peer", engine, "tcp", `${expected} of ${expected} echoed`]);
  });
});
