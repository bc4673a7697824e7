import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PATIENCE_MS } from "../../test/support/patience.ts";

const main = fileURLToPath(new URL("main.ts", import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "turnpike-dataplane-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Killed if it waits, which none of these may do. */
const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  spawnSync(process.execPath, [main, "dataplane", ...args], {
    encoding: "utf8",
    cwd: folder,
    env: { PATH: process.env["PATH"], ...env },
    timeout: PATIENCE_MS,
  });

const BAD = [
  "http://discovery:13478:13478",
  "discovery:13478:13478",
  "http://",
  "ftp://discovery",
  "a b",
  "host:99999",
];

describe("a config origin that cannot be understood", () => {
  it.each(BAD)("ends the start, given by --config %s", (origin) => {
    const { status, stderr } = run(["-w", "--id", "a/b", "--config", origin]);
    expect(stderr).toMatch(/^turnpike: --config: ".*" is neither HOST:PORT nor an .* URL \(usage\)\n$/);
    expect(status).toBe(2);
  });

  it.each(BAD)("ends the start, given by the environment as %s", (origin) => {
    const { status, stderr } = run(["-w", "--id", "a/b"], { STUNNER_CONFIG_ORIGIN: origin });
    expect(stderr).toMatch(/^turnpike: STUNNER_CONFIG_ORIGIN: ".*" is neither .* \(usage\)\n$/);
    expect(status).toBe(2);
  });

  it("ends the start where it is the URL of a file of another host", () => {
    const { status, stderr } = run(["-w", "--config", "file://elsewhere/stunnerd.conf"]);
    expect(stderr).toMatch(/^turnpike: --config: .*file:\/\/\/PATH \(usage\)\n$/);
    expect(status).toBe(2);
  });
});

it("rejects an invalid node name, with the name of the variable", () => {
  const { status, stderr } = run(["-w", "--id", "a/b"], { STUNNER_NODENAME: "two words" });
  expect(stderr).toMatch(/^turnpike: STUNNER_NODENAME "two words" is not a node name/);
  expect(status).toBe(2);
});

it.each(["127.0.0.1:1", "http://127.0.0.1:1", "ws://127.0.0.1:1/prefix", "[::1]:1"])(
  "asks the server at %s",
  (origin) => {
    const { stdout, stderr } = run(["--dry-run", "--id", "a/b", "--config", origin]);
    expect(stdout + stderr).toMatch(/\(discovery-unreachable\)/);
  },
);

it("looks for the server of -c k8s in the cluster, or at the address that STUNner's flags and environment give", () => {
  const asked = ["--dry-run", "--id", "a/b", "--config", "k8s"];
  const none = run([...asked, "--kubeconfig", "/absent/kubeconfig"]);
  expect(none.stdout + none.stderr).toMatch(/ENOENT.*\/absent\/kubeconfig/);
  for (const { stdout, stderr } of [
    run([...asked, "--cds-server-address", "127.0.0.1", "--cds-server-port", "1"]),
    run(asked, { CDS_SERVER_ADDR: "127.0.0.1", CDS_SERVER_PORT: "1" }),
  ])
    expect(stdout + stderr).toMatch(/127\.0\.0\.1:1.*\(discovery-unreachable\)/);
});

describe("messages", () => {
  const uri = "turn://user:password@127.0.0.1:3478";
  it("are JSON, or text for people", () => {
    const json = run(["--dry-run", uri]);
    expect(JSON.parse(json.stdout)).toMatchObject({ level: 30, msg: expect.stringContaining("the config is sound") });
    const text = run(["--dry-run", "--log-format=text", uri]);
    expect(text.stdout).toMatch(
      /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d.*\] INFO: the config is sound; nothing was opened\n/,
    );
    expect(json.status).toBe(0);
    expect(text.status).toBe(0);
  });
});

it.each(["./absent.conf", "/absent/stunnerd.conf", "absent.yaml"])("reads the file %s", (path) => {
  const { stdout, stderr } = run(["--dry-run", "--config", path]);
  expect(stdout + stderr).toMatch(/ENOENT/);
});
