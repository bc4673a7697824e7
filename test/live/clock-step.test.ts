/** A wall clock that steps while calls go on: nothing that the relay holds may end early, or late, because of it. */
import { globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { method } from "../../src/stun/message.ts";
import { encode } from "../../src/turn-client/codec.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { startStunnerd, type DataplaneProcess } from "../support/dataplane-process.ts";
import { freePort } from "../support/free-port.ts";
import { startEchoBackend, type EchoBackend } from "../support/live.ts";

const [library] = globSync("/usr/lib/*/faketime/libfaketimeMT.so.1");

let folder: string;
let clock: string;
let dataplane: DataplaneProcess;
let echo: EchoBackend;
let port: number;

const setClock = (offset: string): void => writeFileSync(clock, `${offset}\n`);

const start = async (...args: readonly string[]): Promise<void> => {
  const listener = { address: "127.0.0.1", port, routes: ["media/peers"] };
  const config = {
    version: "v1",
    admin: { name: "media/gateway", healthcheck_endpoint: "" },
    auth: { type: "static", realm: "example.org", credentials: { username: "user-1", password: "pass-1" } },
    listeners: [
      { ...listener, name: "media/gateway/udp", protocol: "TURN-UDP" },
      { ...listener, name: "media/gateway/tcp", protocol: "TURN-TCP" },
    ],
    clusters: [{ name: "media/peers", type: "STATIC", endpoints: ["127.0.0.1"] }],
  };
  const file = join(folder, "config.json");
  writeFileSync(file, JSON.stringify(config));
  dataplane = startStunnerd(["-w", "-c", file, ...args], {
    LD_PRELOAD: library!,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    FAKETIME_NO_CACHE: "1",
  });
  const bound = (): number => {
    try {
      return [...readJournal(dataplane.journal)].filter(({ type }) => type === "listener.bound").length;
    } catch {
      return 0;
    }
  };
  await expect.poll(bound).toBe(2);
};

const client = async (transport: "udp" | "tcp"): Promise<TurnClient> => {
  const connected = await TurnClient.connect({
    host: "127.0.0.1",
    port,
    transport,
    username: "user-1",
    password: "pass-1",
  });
  onTestFinished(() => connected.close());
  return connected;
};

const call = async (transport: "udp" | "tcp"): Promise<TurnClient> => {
  const caller = await client(transport);
  await caller.allocate();
  await caller.channelBind(0x4000, echo);
  return caller;
};

const echoes = async (caller: TurnClient, text: string): Promise<void> => {
  caller.sendChannel(0x4000, Buffer.from(text));
  expect((await caller.receive()).data.toString()).toBe(text);
};

const binding = encode({ method: method.binding, class: "request", transactionId: Buffer.alloc(12, 7) });

/** A connection that has done nothing yet. */
const idleConnection = async (): Promise<Socket> => {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
};

beforeEach(async () => {
  expect(library, "libfaketime (Debian: faketime)").toBeDefined();
  folder = mkdtempSync(join(tmpdir(), "turnpike-clock-"));
  clock = join(folder, "clock");
  setClock("+0");
  echo = await startEchoBackend();
  port = await freePort("127.0.0.1");
  onTestFinished(async () => {
    await dataplane.clean();
    await echo.close();
    rmSync(folder, { recursive: true });
  });
});

const threads = ["--udp-thread-num=4"];
const oneThread = ["--udp-thread-num=0", "--engine=batch"];
const portable = ["--udp-thread-num=0", "--engine=dgram"];

describe("a wall clock that steps", () => {
  it.each([
    ["+20m", threads],
    ["-20m", threads],
    ["+2d", oneThread],
    ["+20m", portable],
    ["-20m", portable],
  ])("by %s ends no call, nonce or idle connection (%j)", async (step, args) => {
    await start(...args);
    const [overUdp, overTcp] = [await call("udp"), await call("tcp")];
    const short = await client("udp");
    await short.allocate({ lifetime: 2 });
    const idle = await idleConnection();

    setClock(step);
    const stepped = await client("tcp");
    await stepped.allocate();
    // Its two seconds have passed, so the relay has looked for what has expired, under the new clock.
    const closed = () =>
      dataplane.lines().flatMap((line) => (line.type === "allocation.closed" ? [line.data.reason] : []));
    await expect.poll(closed).toEqual(["expired"]);

    for (const caller of [overUdp, overTcp]) {
      await echoes(caller, `through a step of ${step}`);
      const { nonce } = caller;
      expect(await caller.refresh(600)).toBe(600);
      expect(caller.nonce, "the nonce that it has is good").toBe(nonce);
    }
    idle.write(binding);
    const [answer] = (await once(idle, "data")) as [Buffer];
    expect(answer.readUInt16BE(0)).toBe(0x0101);
    idle.destroy();
  });
});
