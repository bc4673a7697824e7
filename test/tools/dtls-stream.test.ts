/** Our TURN clients over DTLS to a server that reads it as a stream (pion/turn): frames are padded, whatever their length. */
import { spawn, type ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { buildPion } from "../interop/go.ts";
import { launch, turnpike } from "../support/commands.ts";
import { freePort } from "../support/free-port.ts";
import { startEchoBackend, type EchoBackend } from "../support/live.ts";

const credentials = { username: "user-1", password: "pass-1" } as const;
/** Every remainder of a division by four. pion/turn reads a frame once it has nine bytes: shorter ones wait for the next. */
const LENGTHS = [5, 6, 7, 8, 9, 13, 14, 15, 16, 1001, 1002, 1003, 1004];

let server: ChildProcess;
let echo: EchoBackend;
let port: number;

beforeAll(async () => {
  const program = await buildPion("server");
  echo = await startEchoBackend();
  const plain = await freePort("127.0.0.1");
  port = await freePort("127.0.0.1");
  server = spawn(program, ["-address", `127.0.0.1:${plain}`, "-dtls", `127.0.0.1:${port}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [ready] = (await once(server.stdout!, "data")) as [Buffer];
  expect(ready.toString()).toBe("listening\n");
});
afterAll(async () => {
  server?.kill("SIGKILL");
  await echo?.close();
});

it("a client echoes channel data of every length", async () => {
  const client = await TurnClient.connect({
    host: "127.0.0.1",
    port,
    transport: "dtls",
    insecure: true,
    ...credentials,
  });
  await client.allocate();
  await client.channelBind(0x4000, { address: "127.0.0.1", port: echo.port });
  const payloads = [1, 2, 3, 4, ...LENGTHS].map((length) => Buffer.alloc(length, length & 255));
  for (const data of payloads) client.sendChannel(0x4000, data);
  for (const data of payloads) expect((await client.receive()).data).toEqual(data);
  client.close();
});

it("turnpike connect carries datagrams of every length", async () => {
  const local = await freePort("127.0.0.1");
  const uri = `turn://user-1:pass-1@127.0.0.1:${port}?transport=dtls`;
  const tunnel = launch(["connect", "--insecure", `udp://127.0.0.1:${local}`, uri, `udp://127.0.0.1:${echo.port}`]);
  await tunnel.printed(/⇄ turn/);
  const socket = createSocket("udp4");
  socket.connect(local, "127.0.0.1");
  await once(socket, "connect");
  for (const length of LENGTHS) {
    const data = Buffer.alloc(length, length & 255);
    const answer = once(socket, "message", { signal: AbortSignal.timeout(10_000) });
    socket.send(data);
    expect(((await answer) as [Buffer])[0]).toEqual(data);
  }
  socket.close();
  expect(await tunnel.stop()).toBe(0);
});

it.each([5, 6, 7, 8])("turnpike probe echoes %i bytes", async (size) => {
  const args = ["--insecure", "--peer", `127.0.0.1:${echo.port}`, "--size", String(size), "--count", "3"];
  const { stdout, stderr } = await turnpike(["probe", `turn:127.0.0.1:${port}?transport=dtls`, ...args]);
  expect({ stdout, stderr }).toEqual({ stdout: expect.stringContaining("3 of 3 echoed, 0 lost"), stderr: "" });
});
