/** The TURN servers that are measured side by side: ours with each engine, coturn, and one on pion/turn. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { release } from "../../src/release.ts";
import { tiedToUs, whereIs } from "../cluster/process.ts";
import { buildPion } from "../interop/go.ts";
import { makeCertificate, type TestCertificate } from "../support/certificate.ts";
import { freePort } from "../support/free-port.ts";
import { loopback, type Link } from "./relay-link.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";

export const credentials = { username: "user-1", password: "pass-1" } as const;
const REALM = "stunner.l7mp.io";
const TURNPIKE = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));

/** Where a server listens: UDP and TCP at `plain`, TLS and DTLS at `secure`. */
export interface Ports {
  readonly plain: number;
  readonly secure: number;
}

export interface Subject {
  readonly name: string;
  /** What is measured, for whoever repeats it. */
  readonly version: string;
  /** Measured only where `--server` names it. */
  readonly isExtra?: boolean;
  readonly command: (place: Place, folder: string) => readonly string[];
}

/** Where a server listens, and where peers are. */
export interface Place extends Ports {
  readonly address: string;
  readonly peers: readonly string[];
}

const configOf = ({ plain, secure, address, peers }: Place, { cert64, key64 }: TestCertificate) => ({
  version: "v1",
  admin: { name: "bench/gateway", healthcheck_endpoint: "", loglevel: "all:ERROR" },
  auth: { type: "static", realm: REALM, credentials },
  listeners: (["UDP", "TCP", "TLS", "DTLS"] as const).map((protocol) => ({
    name: `bench/gateway/${protocol.toLowerCase()}`,
    protocol: `TURN-${protocol}`,
    address,
    port: protocol.endsWith("TLS") ? secure : plain,
    routes: ["bench/peers"],
    ...(protocol.endsWith("TLS") ? { cert: cert64, key: key64 } : {}),
  })),
  clusters: [{ name: "bench/peers", type: "STATIC", protocol: "UDP", endpoints: peers }],
});

const certificate = (() => {
  let made: TestCertificate | undefined;
  return (): TestCertificate => (made ??= makeCertificate());
})();

export const turnpike = (name: string, ...flags: readonly string[]): Subject => ({
  name,
  version: `Turnpike ${release} on Node ${process.versions.node}: turnpike dataplane ${flags.join(" ")}`,
  command(place, folder) {
    const config = join(folder, "config.json");
    writeFileSync(config, JSON.stringify(configOf(place, certificate())));
    return [TURNPIKE, "dataplane", "-c", config, "--journal", join(folder, "journal"), ...flags];
  },
});

const outputOf = (program: string, ...args: readonly string[]): string => {
  const { stdout } = spawnSync(program, args, { encoding: "utf8" });
  return (stdout ?? "").trim();
};

const coturnVersion = (program: string): string => {
  const version = outputOf(program, "--version").split("\n").at(-1) ?? "";
  const debian = outputOf("dpkg-query", "--search", program).split(":")[0] ?? "";
  const release =
    debian === "" ? "" : outputOf("dpkg-query", "--show", "--showformat", "${Package} ${Version}", debian);
  return `coturn ${version}, ${release === "" ? program : `Debian's package ${release}`}, one relay thread`;
};

export const coturn = (name: string, program: string): Subject => ({
  name,
  version: coturnVersion(program),
  command({ plain, secure, address }, folder) {
    const [cert, key] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
    writeFileSync(cert, certificate().certificate);
    writeFileSync(key, certificate().key);
    return [
      [program, "-n", "-m", "1", "--no-cli", "--lt-cred-mech", "--allow-loopback-peers"],
      ["-u", `${credentials.username}:${credentials.password}`, "-r", REALM, "-p", String(plain)],
      ["--tls-listening-port", String(secure), "--cert", cert, "--pkey", key],
      ["-L", address, "-E", address, "--log-file", "/dev/null", "--pidfile", join(folder, "pid")],
    ].flat();
  },
});

export const pion = async (): Promise<Subject> => {
  const program = await buildPion("server");
  const modules = outputOf("go", "version", "-m", program);
  const [, library = ""] = /pion\/turn\/v\d+\s+(\S+)/.exec(modules) ?? [];
  const [, compiler = ""] = /: (go\S+)/.exec(modules) ?? [];
  return {
    name: "pion/turn",
    version: `pion/turn ${library}, built by ${compiler} with its defaults`,
    command: ({ plain, secure, address }) =>
      [program, ["-address", plain], ["-tls", secure], ["-dtls", secure]].flatMap((part) =>
        typeof part === "string" ? [part] : [String(part[0]), `${address}:${part[1]}`],
      ),
  };
};

/**
 * Another server, by its command: `NAME=COMMAND`, where `{address}` stands for where it listens and relays, `{port}` for the port of
 * UDP and TCP, `{secure-port}` for that of TLS and DTLS, and `{folder}` for an empty folder. It must know the user `user-1` with the password `pass-1`.
 */
export const namedServer = (text: string): Subject => {
  const [, name, command] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (name === undefined || command === undefined) throw new Error(`expected NAME=COMMAND, not "${text}"`);
  return {
    name,
    version: command,
    command: ({ plain, secure, address }, folder) =>
      command
        .trim()
        .split(/\s+/)
        .map((part) =>
          part
            .replaceAll("{address}", address)
            .replaceAll("{port}", String(plain))
            .replaceAll("{secure-port}", String(secure))
            .replaceAll("{folder}", folder),
        ),
  };
};

/** Ours, Debian's coturn, that of `TURNSERVER` if it is set, and pion's. @throws MissingTool, or without coturn. */
export const subjects = async (): Promise<readonly Subject[]> => {
  const debian = whereIs("turnserver");
  if (debian === undefined) throw new Error("missing: turnserver; on Debian: sudo apt-get install coturn");
  const other = process.env["TURNSERVER"];
  return [
    turnpike("turnpike", "--engine", "batch"),
    { ...turnpike("turnpike dgram", "--engine", "dgram"), isExtra: true },
    { ...turnpike("turnpike two workers", "--engine", "batch", "--udp-thread-num", "2"), isExtra: true },
    coturn("coturn", debian),
    ...(other === undefined ? [] : [coturn("TURNSERVER", other)]),
    await pion(),
  ];
};

export interface RunningSubject {
  readonly port: number;
  readonly ports: Ports;
  readonly pid: number;
  /** CPU time of all its threads, user and system, in seconds. */
  cpuSeconds(): number;
  rssBytes(): number;
  stop(): Promise<void>;
}

const waitUntilItAnswers = async (host: string, port: number, child: ChildProcess): Promise<void> => {
  for (let tries = 0; tries < 200; tries += 1) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    const client = await TurnClient.connect({ host, port, ...credentials, timeoutMilliseconds: 100 });
    const answered = await client.binding().catch(() => undefined);
    client.close();
    if (answered !== undefined) return;
    await after(20);
  }
  throw new Error("the server does not answer");
};

/** Starts a server pinned to `cores`, a list as `taskset` takes it; on loopback, unless `at` says where. */
export const startSubject = async (
  { command }: Subject,
  cores: string,
  { server: address, load: peers }: Pick<Link, "server" | "load"> = loopback,
): Promise<RunningSubject> => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-bench-"));
  const ports: Ports = { plain: await freePort(address), secure: await freePort(address) };
  const { plain: port } = ports;
  const whole = ["taskset", "-c", cores, ...command({ ...ports, address, peers }, folder)];
  const [program, ...args] = tiedToUs("KILL", whole);
  const child = spawn(program, args, { stdio: "ignore", cwd: folder });
  await waitUntilItAnswers(address, port, child);
  const { pid = 0 } = child;
  return {
    port,
    ports,
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
