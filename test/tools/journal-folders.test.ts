/** Programs that run in one folder without `--journal`: each has an event log of its own. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { launch, turnpike, type Running } from "../support/commands.ts";

const config = {
  version: "v1",
  admin: { name: "media/gateway", healthcheck_endpoint: "" },
  auth: { type: "static", credentials: { username: "user-1", password: "pass-1" } },
};

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "turnpike-folders-"));
  writeFileSync(join(folder, "stunnerd.conf"), JSON.stringify(config));
  writeFileSync(join(folder, "class.yaml"), "");
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

const start = (as: string, args: readonly string[]): Running => {
  const running = launch(args, { as, cwd: folder });
  onTestFinished(async () => void (await running.stop("SIGKILL")));
  return running;
};
const stunnerd = (...args: readonly string[]): Running => start("stunnerd", ["-w", "-c", "stunnerd.conf", ...args]);
const hasStarted = /dataplane started/;
const logs = (): readonly string[] => readdirSync(join(folder, ".turnpike")).toSorted();

describe("stunnerd", () => {
  it("starts beside others in the same folder, also at the same time, and says where its log is", async () => {
    const all = [stunnerd(), stunnerd(), stunnerd()];
    await Promise.all(all.map((one) => one.printed(hasStarted)));
    expect(logs()).toEqual(["dataplane", "dataplane-2", "dataplane-3"]);
    const told = all.filter(({ output }) => /process \d+ is writing to \.turnpike\/dataplane"/.test(output));
    expect(told).toHaveLength(2);
    const { stdout } = await turnpike(["log", ".turnpike/dataplane-3"], { cwd: folder });
    expect(stdout).toMatch(/dataplane/);
  });

  it("uses the logs of ended processes again", async () => {
    for (const signal of ["SIGKILL", "SIGTERM", "SIGKILL"] as const) {
      const pair = [stunnerd(), stunnerd()];
      await Promise.all(pair.map((one) => one.printed(hasStarted)));
      await Promise.all(pair.map((one) => one.stop(signal)));
    }
    expect(logs()).toEqual(["dataplane", "dataplane-2"]);
  });

  it("refuses a log that another process writes to", async () => {
    await stunnerd("--journal", "log").printed(hasStarted);
    const second = stunnerd("--journal", "log");
    expect(await second.ended).toBe(1);
    expect(second.output).toMatch(/is writing to log \(journal-busy\)/);
  });
});

it("turnpike standalone starts beside another in the same folder", async () => {
  const args = ["standalone", ".", "--admin", "127.0.0.1:0", "--log-level", "info"];
  const first = start("turnpike", args);
  await first.printed(/\.turnpike\/journal|admin/);
  const second = start("turnpike", args);
  await second.printed(/is writing to \.turnpike\/journal, so the log is in \.turnpike\/journal-2/);
  await expect.poll(logs).toEqual(["journal", "journal-2"]);
});
