/** What a newcomer types, on free ports: the example, a probe, a look, Ctrl-C, the log. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../support/free-port.ts";
import { keepLog } from "../support/logs.ts";
import { eventually } from "../support/eventually.ts";
import { PATIENCE_MS } from "../support/patience.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const bin = join(root, "bin/turnpike");
const example = join(root, "examples/quickstart");

let folder: string;
let journal: string;
let port: number;
let echoPort: number;
let gateway: ChildProcess;
let admin: string;
let output = "";

interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** Runs `turnpike` from another folder, as a user might. */
const turnpike = (...args: readonly string[]): Promise<Ran> =>
  run(bin, args, { cwd: tmpdir(), timeout: PATIENCE_MS }).then(
    ({ stdout, stderr }) => ({ stdout, stderr, code: 0 }),
    ({ stdout, stderr, code }: Ran) => ({ stdout, stderr, code }),
  );

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "turnpike-quickstart-"));
  journal = join(folder, "journal");
  [port, echoPort] = [await freePort("127.0.0.1"), await freePort("127.0.0.1")];
  for (const name of readdirSync(example)) {
    const text = readFileSync(join(example, name), "utf8")
      .replaceAll("3478", String(port))
      .replaceAll("9001", String(echoPort));
    writeFileSync(join(folder, name), text);
  }
  gateway = spawn(bin, ["standalone", folder, "--journal", journal, "--admin", "127.0.0.1:0", "--reveal"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  gateway.stdout?.on("data", (text: Buffer) => (output += text.toString()));
  gateway.stderr?.on("data", (text: Buffer) => (output += text.toString()));
  await eventually(() => expect(output).toContain("Ctrl-C"));
  admin = /Admin API {3}http:\/\/(\S+)/.exec(output)?.[1] ?? "";
});
afterAll(() => {
  gateway.kill("SIGKILL");
  keepLog(journal);
  rmSync(folder, { recursive: true, force: true });
});

describe("turnpike standalone examples/quickstart", () => {
  it("prints what listens where, the credentials, what may be reached, and how to try it", () => {
    expect(output).toContain(`TURN-UDP 127.0.0.1:${port}  default/gateway/udp`);
    expect(output).toContain(`TURN-TCP 127.0.0.1:${port}  default/gateway/tcp`);
    expect(output).toContain("user user-1, password pass-1, realm stunner.l7mp.io");
    expect(output).toContain("127.0.0.1  by route default/echo");
    expect(output).toContain(`./bin/turnpike probe turn:127.0.0.1:${port}`);
    expect(output).toContain(`http://${admin}/call#user=user-1&password=pass-1`);
  });

  it.each(["udp", "tcp"])("is probed over %s with the command it prints", async (transport) => {
    const { stdout, code } = await turnpike("probe", `turn:127.0.0.1:${port}?transport=${transport}`, "--admin", admin);
    expect(stdout).toContain(`backend  127.0.0.1:${echoPort}`);
    expect(stdout).toMatch(/10 of 10 echoed, 0 lost; round trip min\/median\/max [\d.]+\/[\d.]+\/[\d.]+ ms/);
    expect(code).toBe(0);
  });

  it("answers a probe for an unrouted peer with what is wrong, and where to look", async () => {
    const { stderr, code } = await turnpike("probe", `turn:127.0.0.1:${port}`, "--peer", "127.0.0.5:9");
    expect(stderr).toMatch(/reach 127\.0\.0\.5:9: .*403; no route of this listener names that peer/);
    expect(code).toBe(1);
  });

  it("reports a wrong password to a probe", async () => {
    const { stderr, code } = await turnpike("probe", `turn:127.0.0.1:${port}`, "--password", "wrong", "--admin", admin);
    expect(stderr).toMatch(/allocate: .*401; the user name or password is not the gateway's/);
    expect(code).toBe(1);
  });

  it("shows its state as a table and as JSON", async () => {
    const { stdout } = await turnpike("status", "--admin", admin);
    expect(stdout).toMatch(/default\/gateway\/udp\s+TURN-UDP\s+serving\s+127\.0\.0\.1:\d+\s+default\/echo/);
    expect(stdout).toMatch(/default\/echo\s+127\.0\.0\.1\s+active/);
    const json = JSON.parse((await turnpike("status", "--json", "--admin", admin)).stdout) as Record<string, unknown>;
    expect(json).toMatchObject({
      operator: "leading",
      gateways: [{ name: "default/gateway", state: "active" }],
      rejections: [],
    });
  });

  it("answers /live, /ready and /metrics", async () => {
    expect(await (await fetch(`http://${admin}/live`)).text()).toBe("{}\n");
    expect(await (await fetch(`http://${admin}/ready`)).json()).toEqual({ status: 200, message: "READY" });
    const metrics = await (await fetch(`http://${admin}/metrics`)).text();
    expect(metrics).toMatch(/^stunner_allocations_active 0$/m);
    expect(metrics).toMatch(/^turnpike_endpoints\{state="active"\} 1$/m);
    expect(metrics).toMatch(/^stunner_listener_packets_total\{name="default\/gateway\/udp",direction="rx"\} \d+$/m);
    expect((await fetch(`http://${admin}/nothing`)).status).toBe(404);
    expect((await fetch(`http://${admin}/live`, { method: "POST" })).status).toBe(405);
  });

  it("does not let a second one write to the same log", async () => {
    const { stderr, code } = await turnpike("standalone", folder, "--journal", journal, "--admin", "127.0.0.1:0");
    expect(stderr).toMatch(/process \d+ is writing to .*\(journal-busy\)/);
    expect(code).toBe(1);
  });

  it("on Ctrl-C tears down gateway by gateway, says so, and leaves a log that replays", async () => {
    const exited = new Promise<number | null>((resolve) => gateway.once("exit", resolve));
    // Twice, as `npm start` does it.
    gateway.kill("SIGINT");
    gateway.kill("SIGINT");
    expect(await exited).toBe(0);
    expect(output).toMatch(
      /SIGINT: tearing down\n(.*\n)*gateway default\/gateway torn down, \d+ allocations? ended\nstopped\n$/,
    );

    const replayed = await turnpike("replay", journal);
    expect(replayed.stdout).toMatch(/^replayed \d+ facts, \d+ transitions: identical$/m);
    expect(replayed.code).toBe(0);
  });
});

describe("turnpike log", () => {
  it("filters by object, type and time", async () => {
    const all = (await turnpike("log", journal)).stdout.trimEnd().split("\n");
    const refused = await turnpike("log", journal, "--type", "peer.refused");
    expect(refused.stdout).toMatch(/peer 127\.0\.0\.5 refused to user-1 at 127\.0\.0\.1:\d+: .*127\.0\.0\.5/);
    const endpoint = (await turnpike("log", journal, "--object", "default/echo#127.0.0.1")).stdout
      .trimEnd()
      .split("\n");
    expect(endpoint).toHaveLength(1);
    expect((await turnpike("log", journal, "--since", "2100-01-01T00:00:00Z")).stdout).toBe("");
    expect(
      (await turnpike("log", journal, "--since", "1h", "--until", "0s")).stdout.trimEnd().split("\n"),
    ).toHaveLength(all.length);
  });

  it("prints the chain of causes of a line", async () => {
    const bound = (await turnpike("log", journal, "--type", "listener.bound", "--json")).stdout.split("\n")[0] ?? "";
    const { seq } = JSON.parse(bound) as { seq: number };
    const chain = (await turnpike("log", journal, "--cause", String(seq))).stdout.trimEnd().split("\n");
    expect(chain).toHaveLength(2);
    expect(chain[0]).toMatch(/object\.seen/);
    expect(chain[1]).toMatch(/listener default\/gateway\/\w+ serves at/);
  });

  it("holds no password", () => {
    for (const name of readdirSync(journal)) expect(readFileSync(join(journal, name), "utf8")).not.toContain("pass-1");
  });
});

describe("turnpike replay", () => {
  it("exits 1 at the first line that differs and prints its causes", async () => {
    const [segment = ""] = readdirSync(journal);
    const text = readFileSync(join(journal, segment), "utf8");
    const changed = join(folder, "changed.jsonl");
    writeFileSync(
      changed,
      text.replace(
        '"from":"pending","event":"rendered","to":"active"',
        '"from":"pending","event":"rendered","to":"invalid"',
      ),
    );
    const { stdout, code } = await turnpike("replay", changed);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /they differ at line \d+\n {2}recorded: gateway default\/gateway: pending → invalid.*\n {2}replayed: gateway default\/gateway: pending → active/,
    );
    expect(stdout).toMatch(/because of:\n +\d+ .* seen /);
  });

  it("drops a torn last line with a note", async () => {
    const [segment = ""] = readdirSync(journal);
    const torn = join(folder, "torn.jsonl");
    writeFileSync(torn, readFileSync(join(journal, segment)).subarray(0, -20));
    const { stdout, stderr, code } = await turnpike("replay", torn);
    expect(stderr).toMatch(/the last line of .*torn\.jsonl is torn; \d+ bytes left out/);
    expect(stdout).toContain("identical");
    expect(code).toBe(0);
  });
});

describe("turnpike render", () => {
  it("prints what an operator would produce, without secrets", async () => {
    const { stdout, stderr, code } = await turnpike("render", example, "-o", "json");
    const rendered = JSON.parse(stdout) as {
      configs: Record<string, unknown>;
      objects: { kind: string }[];
      statuses: Record<string, unknown>;
    };
    expect(Object.keys(rendered.configs)).toEqual(["default/gateway"]);
    expect(rendered.objects.map(({ kind }) => kind)).toEqual(["Service", "Deployment"]);
    expect(Object.keys(rendered.statuses)).toEqual([
      "GatewayClass/media",
      "Gateway/default/gateway",
      "UDPRoute/default/echo",
    ]);
    expect(stdout).not.toContain("pass-1");
    expect(stderr).toContain('no Dataplane "default"');
    expect(code).toBe(0);
    expect((await turnpike("render", example, "--reveal")).stdout).toContain("password: pass-1");
  });

  it("exits 1 and names file, line, field and reason where a manifest is wrong", async () => {
    const wrong = join(folder, "wrong");
    await run("mkdir", [wrong]);
    writeFileSync(
      join(wrong, "route.yaml"),
      readFileSync(join(example, "backend.yaml"), "utf8").replace("backendRefs:", "backendRef:"),
    );
    const { stderr, code } = await turnpike("render", wrong);
    expect(stderr).toMatch(/^route\.yaml:11: UDPRoute\/default\/echo: spec\.rules\[0\]\.backendRef: /m);
    expect(code).toBe(1);
  });
});

describe("turnpike", () => {
  it("exits 2 on wrong arguments and says what it expected", async () => {
    for (const args of [
      ["nonsense"],
      ["probe", "http://x"],
      ["standalone", folder, "--address", "localhost"],
      ["log", journal, "--since", "yesterday"],
    ]) {
      const { stderr, code } = await turnpike(...args);
      expect(code, args.join(" ")).toBe(2);
      expect(stderr, args.join(" ")).toMatch(/error: /);
    }
  });

  it("names a directory, log or admin API that is not there", async () => {
    const missing = await turnpike("replay", join(folder, "missing"));
    expect(missing.code).toBe(1);
    expect(missing.stderr).not.toMatch(/ at .*\.ts:/);
    const status = await turnpike("status", "--admin", "127.0.0.1:1");
    expect(status.stderr).toMatch(/nothing answers at .*\(admin-unreachable\)/);
  });
});
