/** The TURN servers that are measured side by side: ours with each engine, coturn, and one on pion/turn. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { tiedToUs, whereIs } from "../cluster/process.ts";
import { buildPion } from "../interop/go.ts";
import { freePort } from "../support/free-port.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";

export const credentials = { username: "user-1", password: "pass-1" } as const;
const REALM = "stunner.l7mp.io";
const TURNPIKE = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));

export interface Subject {
  readonly name: string;
  readonly command: (port: number, folder: string) => readonly string[];
}

const configOf = (port: number) => ({
  version: "v1",
  admin: { name: "bench/gateway", healthcheck_endpoint: "", loglevel: "all:ERROR" },
  auth: { type: "static", realm: REALM, credentials },
  listeners: (["UDP", "TCP"] as const).map((protocol) => ({
    name: `bench/gateway/${protocol.toLowerCase()}`,
    protocol: `TURN-${protocol}`,
    address: "127.0.0.1",
    port,
    routes: ["bench/peers"],
  })),
  clusters: [{ name: "bench/peers", type: "STATIC", protocol: "UDP", endpoints: ["127.0.0.1", "127.0.0.2"] }],
});

export const turnpike = (name: string, ...flags: readonly string[]): Subject => ({
  name,
  command(port, folder) {
    const config = join(folder, "config.json");
    writeFileSync(config, JSON.stringify(configOf(port)));
    return [TURNPIKE, "dataplane", "-c", config, "--journal", join(folder, "journal"), ...flags];
  },
});

export const coturn = (name: string, program: string): Subject => ({
  name,
  command: (port, folder) =>
    [
      [program, "-n", "-m", "1", "--no-cli", "--lt-cred-mech", "--no-tls", "--no-dtls", "--allow-loopback-peers"],
      ["-u", `${credentials.username}:${credentials.password}`, "-r", REALM, "-p", String(port)],
      ["-L", "127.0.0.1", "-E", "127.0.0.1", "--log-file", "/dev/null", "--pidfile", join(folder, "pid")],
    ].flat(),
});

export const pion = async (): Promise<Subject> => {
  const program = await buildPion("server");
  return { name: "pion/turn", command: (port) => [program, "-address", `127.0.0.1:${port}`] };
};

/** Ours, Debian's coturn, that of `TURNSERVER` if it is set, and pion's. @throws MissingTool, or without coturn. */
export const subjects = async (): Promise<readonly Subject[]> => {
  const debian = whereIs("turnserver");
  if (debian === undefined) throw new Error("missing: turnserver; on Debian: sudo apt-get install coturn");
  const other = process.env["TURNSERVER"];
  return [
    turnpike("batch", "--engine", "batch"),
    turnpike("dgram", "--engine", "dgram"),
    coturn("coturn", debian),
    ...(other === undefined ? [] : [coturn("TURNSERVER", other)]),
    await pion(),
    turnpike("two workers", "--engine", "batch", "--udp-thread-num", "2"),
  ];
};

export interface RunningSubject {
  readonly port: number;
  readonly pid: number;
  /** CPU time of all its threads, user and system, in seconds. */
  cpuSeconds(): number;
  rssBytes(): number;
  stop(): Promise<void>;
}

const waitUntilItAnswers = async (port: number, child: ChildProcess): Promise<void> => {
  for (let tries = 0; tries < 200; tries += 1) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    const client = await TurnClient.connect({ host: "127.0.0.1", port, ...credentials, timeoutMilliseconds: 100 });
    const answered = await client.binding().catch(() => undefined);
    client.close();
    if (answered !== undefined) return;
    await after(20);
  }
  throw new Error("the server does not answer");
};

/** Starts a server pinned to `cores`, a list as `taskset` takes it. */
export const startSubject = async ({ command }: Subject, cores: string): Promise<RunningSubject> => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-bench-"));
  const port = await freePort("127.0.0.1");
  const whole = ["taskset", "-c", cores, ...command(port, folder)];
  const [program, ...args] = tiedToUs("KILL", whole);
  const child = spawn(program, args, { stdio: "ignore", cwd: folder });
  await waitUntilItAnswers(port, child);
  const { pid = 0 } = child;
  return {
    port,
    pid,
    // In ticks, of which there are a hundred a second.
    cpuSeconds: () => {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    rssBytes: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024,
    async stop() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
