/** A relay that may open no more files: calls go on, new TCP clients wait, the reason is counted, and all is well after. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { ProgramState } from "../../src/admin/state.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { startStunnerd } from "../support/dataplane-process.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { startEchoBackend } from "../support/live.ts";
import { startStream } from "../support/stream.ts";

/** Descriptors that the relay may open beside those that it has. */
const FREE = 8;
const CLIENTS = 40;

it("TCP clients wait while there are no free descriptors; calls lose nothing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-descriptors-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [port, admin] = [await freePort("127.0.0.1"), await freePort("127.0.0.1")];
  const path = join(folder, "stunnerd.json");
  const config = {
    version: "v1",
    admin: { name: "media/gateway", healthcheck_endpoint: "" },
    auth: { type: "static", credentials: { username: "user-1", password: "pass-1" } },
    listeners: (["udp", "tcp"] as const).map((name) => ({
      name: `media/gateway/${name}`,
      protocol: `TURN-${name.toUpperCase()}`,
      address: "127.0.0.1",
      port,
      routes: ["media/echo"],
    })),
    clusters: [{ name: "media/echo", type: "STATIC", protocol: "UDP", endpoints: ["127.0.0.1"] }],
  };
  writeFileSync(path, JSON.stringify(config));
  const relay = startStunnerd(["-c", path, "--admin", `127.0.0.1:${admin}`], {});
  onTestFinished(() => relay.clean());
  const dropped = async (): Promise<number> => {
    const state = (await (await fetch(`http://127.0.0.1:${admin}/api/v1/state`)).json()) as ProgramState;
    return state.relay.dropped["no-descriptors"] ?? 0;
  };
  await eventually(async () => expect(await dropped()).toBe(0));
  const echo = await startEchoBackend();
  onTestFinished(() => echo.close());
  const server = { host: "127.0.0.1", port, username: "user-1", password: "pass-1" } as const;
  const call = await startStream({ ...server, packetsPerSecond: 200 }, echo);
  onTestFinished(() => call.stop());
  await call.flows(20);

  const pid = relay.child.pid!;
  const limit = readdirSync(`/proc/${pid}/fd`).length + FREE;
  const { status } = spawnSync("prlimit", ["--pid", String(pid), `--nofile=${limit}:`]);
  expect(status).toBe(0);
  const clients: Socket[] = [];
  onTestFinished(() => clients.forEach((client) => client.destroy()));
  for (let n = 0; n < CLIENTS; n += 1) {
    const client = connect(port, "127.0.0.1").on("error", () => undefined);
    // The kernel takes the connection, whether the relay does or not.
    await once(client, "connect");
    clients.push(client);
  }
  await call.flows(100);
  for (const client of clients) client.destroy();
  // Nobody can ask before, as the answer needs a descriptor as well.
  await eventually(async () => expect(await dropped()).toBeGreaterThan(0));
  const late = await TurnClient.connect({ ...server, transport: "tcp" });
  onTestFinished(() => late.close());
  await late.allocate();
  await call.flows(100);
  expect(await call.lost()).toEqual([]);
});
