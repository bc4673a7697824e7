/** `turnpike explain` as a command. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { facts, historyOf, slice, worldWith } from "./world.ts";

const TURNPIKE = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));

describe("turnpike explain", () => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-explain-"));
  const log = join(folder, "history.jsonl");
  const history = historyOf(worldWith());
  const before = new Date(history.lines.at(-1)!.time).toISOString();
  history.take(...facts([slice(["10.1.0.8"])]));
  history.take({
    type: "allocation.opened",
    data: {
      gateway: "media/gw" as never,
      listener: "media/gw/udp",
      id: 1,
      user: "u",
      client: "192.0.2.9:4000",
      relayed: "192.0.2.1:50000",
    },
  });
  writeFileSync(log, history.lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  afterAll(() => rmSync(folder, { recursive: true }));

  const explain = (...args: readonly string[]) =>
    spawnSync(TURNPIKE, ["explain", ...args, "--journal", log], { encoding: "utf8" });

  it("says why a peer cannot be reached, because of which events, and what to do", () => {
    const { stdout, status } = explain("10.1.0.7:5000");
    expect(status).toBe(1);
    expect(stdout).toMatch(/^10\.1\.0\.7 port 5000 is not reachable, as of event \d+ at /);
    expect(stdout).toMatch(/endpoint media\/sfu#10\.1\.0\.7: removed \d+ s ago: event \d+/);
    expect(stdout).toMatch(/what to do: /);
    expect(stdout).toMatch(/^ +\d+ {2}\S+Z {2}seen EndpointSlice\/media\/sfu-1$/m);
    expect(stdout).toMatch(/^gateway media\/gw: /m);
  });

  it("says what was so at a past moment, exits with 0 where the peer can be reached, and prints JSON", () => {
    expect(explain("10.1.0.7", "--at", before).stdout).toMatch(/^10\.1\.0\.7 is reachable, /);
    const { stdout, status } = explain("10.1.0.8", "--client", "192.0.2.9", "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ reachable: true, because: { code: "reachable" } });
  });

  describe("of a relay that drains", () => {
    const drainingLog = join(folder, "draining.jsonl");
    const draining = historyOf(worldWith());
    const at = { gateway: "media/gw" as never, listener: "media/gw/udp" };
    draining.take({
      type: "allocation.opened",
      data: { ...at, id: 1, user: "old", client: "192.0.2.9:4000", relayed: "192.0.2.1:50000" },
    });
    draining.take({ type: "operator.stopping", data: { reason: "SIGTERM" } });
    for (const [client, user, suppressed] of [
      ["192.0.2.10:4001", "new", 0],
      ["[2001:db8::7]:4002", "new", 3],
    ] as const)
      draining.take({
        type: "client.redirected",
        data: { ...at, client, user, server: "198.51.100.2:3478", suppressed },
      });
    writeFileSync(drainingLog, draining.lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const ask = (...args: readonly string[]) =>
      spawnSync(TURNPIKE, ["explain", ...args, "--journal", drainingLog], { encoding: "utf8" });

    it.each([
      ["client/192.0.2.10", "new at 192.0.2.10:4001"],
      ["client/192.0.2.10:4001", "new at 192.0.2.10:4001"],
      ["client/2001:db8::7", "new at [2001:db8::7]:4002"],
      ["client/[2001:db8:0::7]:4002", "new at [2001:db8::7]:4002"],
      ["user/new", "new at 192.0.2.10:4001"],
    ])("says that it drains and where it sent %s", (what, who) => {
      const { stdout, status } = ask(what);
      expect(status).toBe(1);
      expect(stdout).toMatch(/ has no open allocation, as of event \d+ at /);
      expect(stdout).toContain("this relay drains");
      expect(stdout).toContain(`${who} sent to 198.51.100.2:3478`);
      expect(stdout).toContain("leaves out 3 redirections");
    });

    it("says which calls it keeps", () => {
      const { stdout, status } = ask("user/old");
      expect(status).toBe(0);
      expect(stdout).toMatch(/^user old has an open allocation/);
      expect(stdout).not.toContain("sent to");
    });

    it("says so too if a peer is asked about for such a client, and in JSON", () => {
      expect(ask("10.1.0.7", "--client", "192.0.2.10").stdout).toContain(
        "new at 192.0.2.10:4001 sent to 198.51.100.2:3478",
      );
      expect(JSON.parse(ask("client/192.0.2.10", "--json").stdout)).toMatchObject({
        draining: true,
        allocations: [],
        redirections: [{ says: expect.stringContaining("sent to 198.51.100.2:3478") as string }],
        unlogged: 3,
      });
    });
  });

  it("says why an object is as it is", () => {
    const { stdout, status } = explain("udproute/media/calls");
    expect(status).toBe(0);
    expect(stdout).toMatch(/parent gw: Accepted=True, Accepted: parent media\/gw accepts the route/);
    expect(explain("gateway/media/none").status).toBe(1);
  });

  it.each([
    [["10.1.0"], "expected a peer"],
    [["gateway/gw"], "expected a peer"],
    [["client/gw"], "expected a peer"],
    [["10.1.0.7:0"], "expected a peer"],
    [["10.1.0.7", "--gateway", "gw"], "expected NAMESPACE/NAME"],
    [["10.1.0.7", "--client", "192.0.2.77"], "no allocation of client 192.0.2.77"],
    [["10.1.0.7", "--at", "1960-01-01T00:00:00Z"], "nothing of that time"],
  ])("names what is wrong with %j", (args, message) => {
    const { stderr, status } = explain(...args);
    expect(stderr).toContain(message);
    expect(status).not.toBe(0);
  });
});
