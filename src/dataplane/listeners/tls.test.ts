import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import pino from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeCertificate } from "../../../test/support/certificate.ts";
import { testOwner, type TestOwner } from "../../../test/support/listener-owner.ts";
import { method } from "../../stun/message.ts";
import { encode } from "../../turn-client/codec.ts";
import { createEngine } from "../engines/choose.ts";
import type { Engine } from "../engines/engine.ts";
import { Flow, noDrops, noTraffic } from "../flows.ts";
import type { Limits } from "../limits.ts";
import type { OpenListener } from "./listener.ts";
import { listenTls } from "./tls.ts";

const binding = encode({ method: method.binding, class: "request", transactionId: Buffer.alloc(12) });
const { cert64, key64 } = makeCertificate();
const materials = {
  first: { certificate: Buffer.from(cert64, "base64"), key: Buffer.from(key64, "base64") },
  further: [],
};
const LONGEST = 65_535;

describe.each(["dgram", "batch"] as const)("TLS with the %s engine", (name) => {
  let engine: Engine;
  let opened: OpenListener;
  let owner: TestOwner;
  const sockets: Socket[] = [];

  const listen = async (limits: Partial<Limits> = {}): Promise<void> => {
    owner = testOwner(limits);
    opened = await listenTls(engine, ["127.0.0.1"], 0, noTraffic(), owner, materials);
  };
  const at = () => ({ host: "127.0.0.1", port: Number(opened.at[0]?.split(":")[1]) });
  const raw = async (): Promise<Socket> => {
    const socket = connect(at());
    sockets.push(socket);
    socket.on("error", () => undefined);
    await once(socket, "connect");
    return socket;
  };
  const client = async (options: ConnectionOptions = {}): Promise<TLSSocket> => {
    const socket = connectTls({ ...at(), rejectUnauthorized: false, ...options });
    sockets.push(socket);
    socket.on("error", () => undefined);
    await once(socket, "secureConnect");
    return socket;
  };
  const isServed = async (socket: Socket): Promise<void> => {
    const { length } = owner.paths;
    socket.write(binding);
    await expect.poll(() => owner.paths.length).toBe(length + 1);
  };

  beforeEach(() => {
    engine = createEngine(name, { drops: noDrops() }, pino({ level: "silent" }));
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await opened.close();
    engine.close();
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)("speaks %s, and resumes its sessions", async (version) => {
    await listen();
    const options = { minVersion: version, maxVersion: version };
    const first = await client(options);
    const tickets: Buffer[] = [];
    first.on("session", (ticket) => tickets.push(ticket));
    await isServed(first);
    expect(first.getProtocol()).toBe(version);
    await expect.poll(() => tickets.length > 0 || first.getSession() !== undefined).toBe(true);
    const session = tickets[0] ?? first.getSession();
    const second = await client({ ...options, ...(session === undefined ? {} : { session }) });
    await isServed(second);
    expect(second.isSessionReused()).toBe(true);
  });

  it("rejects older versions", async () => {
    await listen();
    await expect(client({ minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" })).rejects.toThrow(
      /alert protocol version|unsupported protocol/u,
    );
    await expect.poll(() => owner.reasons).toEqual(["handshake"]);
  });

  it("completes a handshake however the stream is cut", async () => {
    await listen();
    const wire = await raw();
    const cut = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _, done) {
        for (const byte of chunk) wire.write(Buffer.from([byte]));
        done();
      },
    });
    wire.on("data", (chunk) => cut.push(chunk));
    wire.setNoDelay(true);
    const socket = connectTls({ socket: cut, rejectUnauthorized: false });
    sockets.push(socket);
    await once(socket, "secureConnect");
    await isServed(socket);
    expect(owner.counts).toMatchObject({ connections: 1, handshakes: 1, failedHandshakes: 0 });
  });

  it("takes messages that arrive with the end of the handshake", async () => {
    await listen();
    const socket = connectTls({ ...at(), rejectUnauthorized: false });
    sockets.push(socket);
    for (let n = 0; n < 20; n++) socket.write(binding);
    await expect.poll(() => owner.paths.length).toBe(20);
  });

  it("carries the longest messages in both directions", async () => {
    await listen();
    const socket = await client();
    await isServed(socket);
    const path = owner.paths[0]!;
    const drops = noDrops();
    path.install(new Flow(path, noTraffic(), drops, { generation: 0 }, nobody));
    const message = Buffer.alloc(4 + LONGEST + 1, 7);
    message.writeUInt16BE(0x4001, 0);
    message.writeUInt16BE(LONGEST, 2);
    const heard: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => heard.push(chunk));
    for (let n = 0; n < 8; n++) {
      // The client's data is dropped where it would be relayed: there is no such channel.
      socket.write(message);
      path.send(message, 0, message.length - 1, true);
      await expect.poll(() => Buffer.concat(heard).length).toBe((n + 1) * (message.length - 1));
    }
    expect(Buffer.concat(heard).equals(Buffer.concat(Array.from({ length: 8 }, () => message.subarray(0, -1))))).toBe(
      true,
    );
    await expect.poll(() => drops["no-channel"]).toBe(8);
  });

  it("counts what is no TLS, and says so to the client", async () => {
    await listen();
    const socket = await raw();
    socket.write("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    await once(socket, "close");
    expect(owner.reasons).toEqual(["handshake"]);
    expect(owner.counts).toMatchObject({ handshakes: 0, failedHandshakes: 1 });
  });

  it("ends only the connection on which bytes were changed", async () => {
    await listen();
    const [changed, other] = [await raw(), await client()];
    await isServed(other);
    const socket = connectTls({ socket: changed, rejectUnauthorized: false });
    sockets.push(socket);
    await once(socket, "secureConnect");
    await isServed(socket);
    const told = once(socket, "error");
    // A record with a tag that is not right.
    changed.write(Buffer.concat([Buffer.from([23, 3, 3, 0, 32]), Buffer.alloc(32, 1)]));
    expect(String(await told)).toContain("bad record mac");
    const [path, changedPath] = owner.paths;
    await expect.poll(() => owner.ended).toContain(changedPath);
    await isServed(other);
    expect(owner.ended).not.toContain(path);
  });

  it("closes a connection whose handshake takes too long", async () => {
    await listen({ handshakeMilliseconds: 50 });
    const socket = await raw();
    await once(socket, "close");
    expect(owner.reasons).toEqual(["handshake"]);
  });

  it("limits handshakes: the oldest makes room", async () => {
    await listen({ maxHandshakes: 2 });
    const waiting = [await raw(), await raw()];
    const closed = once(waiting[0]!, "close");
    await isServed(await client());
    await closed;
    expect(owner.reasons).toEqual(["handshakes"]);
    expect(waiting[1]!.destroyed).toBe(false);
  });

  it("counts a client that leaves in its handshake", async () => {
    await listen();
    const socket = await raw();
    socket.write(Buffer.from([22, 3, 1]));
    socket.end();
    await expect.poll(() => owner.reasons).toEqual(["handshake"]);
  });
});

const nobody = { meet: () => undefined, revalidate: () => undefined };
