/** Listeners that share their port with a web site: clients of TURN and of HTTP, and each reaches its own. */
import { once } from "node:events";
import { request as requestHttp } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { EngineName } from "../../src/dataplane/engines/choose.ts";
import type { ProgramState } from "../../src/admin/state.ts";
import { describeState } from "../../src/cli/status.ts";
import { turnProtocols } from "../../src/dataplane/listeners/protocols.ts";
import type { Limits } from "../../src/dataplane/limits.ts";
import { makeCertificate } from "../support/certificate.ts";
import { startTestDataplane, type ConfigChanges, type TestDataplane } from "../support/dataplane.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { startEchoBackend, type EchoBackend } from "../support/live.ts";
import { proxyHeader } from "../support/proxy-header.ts";
import { turnOver } from "../support/turn-over.ts";
import { startWebSite, type WebSite } from "../support/web-site.ts";

const siteCertificate = makeCertificate("site.example");

let echo: EchoBackend;
let dataplane: TestDataplane;

const start = async (
  changes: ConfigChanges,
  options: {
    readonly engine?: EngineName;
    readonly workers?: number;
    readonly limits?: Partial<Limits>;
    readonly proxyProtocol?: boolean;
  } = {},
): Promise<void> => {
  const { engine, workers = 0, limits = {}, proxyProtocol = false } = options;
  dataplane = await startTestDataplane(changes, { engine, workers, relay: { proxyProtocol, limits } });
};

beforeEach(async () => {
  echo = await startEchoBackend();
});
afterEach(async () => {
  await dataplane.stop();
  await echo.close();
});

const site = async (...args: Parameters<typeof startWebSite>): Promise<WebSite> => {
  const started = await startWebSite(...args);
  onTestFinished(() => started.close());
  return started;
};

/** A backend that does with its connections as it likes. */
const backend = async (connection: (socket: Socket) => void): Promise<number> => {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    onTestFinished(() => void socket.destroy());
    connection(socket.on("error", () => undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
};

const at = (port: number, version: "v1" | "v2" | "none" = "none") =>
  ({ http_backend: `127.0.0.1:${port}`, http_backend_proxy_protocol: version }) as const;

const open = async (port: number, first?: Buffer): Promise<Socket> => {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  await once(socket, "connect");
  if (first !== undefined) socket.write(first);
  return socket;
};

/** Resolves when the other side has closed the connection, or reset it. */
const closed = (socket: Socket): Promise<unknown> =>
  Promise.race([once(socket.resume(), "end"), once(socket, "close")]);

const secure = async (socket: Socket, protocols: string[] = [], servername = ""): Promise<TLSSocket> => {
  const tls = connectTls({
    socket,
    servername,
    rejectUnauthorized: false,
    ...(protocols.length > 0 ? { ALPNProtocols: protocols } : {}),
  });
  onTestFinished(() => void tls.destroy());
  tls.on("error", () => undefined);
  await once(tls, "secureConnect");
  return tls;
};

/** What a web client gets over its own connection, and the local port of it. */
const get = (port: number, https: boolean): Promise<{ readonly text: string; readonly from: string }> =>
  new Promise((resolve, reject) => {
    const asked = (https ? request : requestHttp)(
      { port, host: "127.0.0.1", agent: false, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] } as object,
      (response) => {
        const from = `127.0.0.1:${response.socket.localPort}`;
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve({ text, from }));
      },
    );
    asked.on("error", reject).end();
  });

const relayed = async (socket: Socket): Promise<string> => {
  const client = await turnOver(socket);
  await client.allocate();
  await client.channelBind(0x4000, echo);
  client.sendChannel(0x4000, Buffer.from("through"));
  return (await client.receive()).data.toString();
};

const state = async () => {
  await dataplane.dataplane.relay.refresh();
  return dataplane.dataplane.relay.state();
};
const listenerState = async (transport: "tcp" | "tls") =>
  (await state()).listeners.find(({ name }) => name === `media/gateway/${transport}`);
const dropped = async (reason: string): Promise<number> => (await state()).dropped[reason] ?? 0;

describe.each([0, 2])("with %i worker threads", (workers) => {
  it.each([...turnProtocols, undefined, "something-else"])(
    "a TLS listener serves its site, and TURN to clients that offer %s",
    async (protocol) => {
      const { port, clients } = await site("the site", { certificate: siteCertificate });
      await start({ listeners: { tls: at(port, "v2") } }, { workers });
      const { text, from } = await get(dataplane.ports.tls, true);
      expect(text).toBe("the site");
      expect(clients).toEqual([from]);
      const tls = await secure(
        await open(dataplane.ports.tls),
        protocol === undefined ? [] : ["http/1.1", protocol].slice(protocol === "something-else" ? 1 : 0),
      );
      expect(tls.alpnProtocol).toBe(turnProtocols.some((one) => one === protocol) ? protocol : false);
      expect(await relayed(tls)).toBe("through");
      expect(clients).toHaveLength(1);
      expect(await listenerState("tls")).toMatchObject({ connectionsTotal: 1, httpConnectionsTotal: 1 });
    },
  );

  it("a TCP listener serves its site, over HTTP and HTTPS, and TURN", async () => {
    const [plain, over] = [await site("plain"), await site("over TLS", { certificate: siteCertificate })];
    await start({ listeners: { tcp: at(plain.port, "v1") } }, { workers });
    const { text, from } = await get(dataplane.ports.tcp, false);
    expect(text).toBe("plain");
    expect(plain.clients).toEqual([from]);
    expect(await relayed(await open(dataplane.ports.tcp))).toBe("through");
    await dataplane.apply({ listeners: { tcp: at(over.port, "v2") } });
    expect(await get(dataplane.ports.tcp, true)).toMatchObject({ text: "over TLS" });
    expect(await relayed(await open(dataplane.ports.tcp))).toBe("through");
    expect(await listenerState("tcp")).toMatchObject({ connectionsTotal: 2, httpConnectionsTotal: 2 });
  });
});

describe("a listener with an HTTP backend", () => {
  it("passes HTTP/2 on", async () => {
    const { port } = await site("in streams", { certificate: siteCertificate });
    await start({ listeners: { tls: at(port, "v2") } });
    const session = connectHttp2(`https://127.0.0.1:${dataplane.ports.tls}`, { rejectUnauthorized: false });
    onTestFinished(() => session.destroy());
    session.on("error", () => undefined);
    const stream = session.request({ ":path": "/" });
    expect(Buffer.concat(await stream.toArray()).toString()).toBe("in streams");
  });

  it("is in the status, the metrics and the config that is shown", async () => {
    const port = await backend((socket) => socket.resume());
    dataplane = await startTestDataplane({ listeners: { tcp: at(port) } }, { admin: true });
    await open(dataplane.ports.tcp, Buffer.from("GET /"));
    await eventually(async () => expect(await listenerState("tcp")).toMatchObject({ httpConnections: 1 }));
    const ask = async (path: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${dataplane.dataplane.admin?.port}${path}`);
    const shown = describeState((await (await ask("/api/v1/state")).json()) as ProgramState, false);
    expect(shown).toMatch(
      new RegExp(`HTTP backends \\(1\\)\\n.*\\n\\s*media/gateway/tcp +127\\.0\\.0\\.1:${port} +1 +1\\n`),
    );
    const metrics = await (await ask("/metrics")).text();
    expect(metrics).toContain('turnpike_listener_http_connections{name="media/gateway/tcp"} 1');
    expect(metrics).toContain('turnpike_listener_http_connections_total{name="media/gateway/tcp"} 1');
    const { listeners } = await dataplane.dataplane.status();
    expect(listeners.find(({ name }) => name === "media/gateway/tcp")).toMatchObject(at(port));
  });

  it("without a header, sends the backend, which may have a name, only what the client sends", async () => {
    const { port } = await site("bare", { proxyHeader: false });
    await start({ listeners: { tcp: { ...at(port), http_backend: `localhost:${port}` } } });
    expect(await get(dataplane.ports.tcp, false)).toMatchObject({ text: "bare" });
  });

  it("passes on the address that its load balancer reports", async () => {
    const { port, clients } = await site("the site", { certificate: siteCertificate });
    await start({ listeners: { tls: at(port, "v2"), tcp: at(port, "v1") } }, { proxyProtocol: true });
    const header = proxyHeader({ address: "2001:db8::7", port: 4711 }, { address: "2001:db8::1", port: 443 });
    for (const transport of ["tls", "tcp"] as const) {
      const tls = await secure(await open(dataplane.ports[transport], header), ["http/1.1"]);
      tls.write("GET / HTTP/1.1\r\nhost: site.example\r\nconnection: close\r\n\r\n");
      expect(Buffer.concat(await tls.toArray()).toString()).toContain("the site");
    }
    expect(clients).toEqual(["2001:db8::7:4711", "2001:db8::7:4711"]);
  });

  it.each(["tls", "tcp"] as const)("over %s reads a client's first bytes one by one", async (transport) => {
    const { port } = await site("slow and steady", { certificate: siteCertificate });
    await start({ listeners: { [transport]: at(port, "v2") } });
    const raw = await open(dataplane.ports[transport]);
    const write = raw.write.bind(raw);
    raw.write = (chunk: Buffer) => {
      for (const byte of chunk) write(Buffer.from([byte]));
      return true;
    };
    const tls = await secure(raw, ["http/1.1"]);
    tls.write("GET / HTTP/1.1\r\nhost: site.example\r\nconnection: close\r\n\r\n");
    expect(Buffer.concat(await tls.toArray()).toString()).toContain("slow and steady");
  });

  it.each(["batch", "dgram"] as const)(
    "sends no more than either side reads, and lets one side end first (%s)",
    async (engine) => {
      const size = 64 << 20;
      const sent = Buffer.alloc(size, "turnpike");
      let received: Socket | undefined;
      const port = await backend((socket) => (received = socket));
      await start({ listeners: { tcp: at(port) } }, { engine });
      const client = await open(dataplane.ports.tcp);
      client.write(sent);
      client.end();
      await eventually(() => expect(received).toBeDefined());
      // Nobody reads: what the kernel does not hold waits at the sender.
      await eventually(() => expect(client.writableLength).toBeGreaterThan(0));
      const upload: Buffer[] = [];
      for await (const chunk of received!) upload.push(chunk as Buffer);
      expect(Buffer.concat(upload).equals(sent)).toBe(true);
      // The client has ended, and is still answered.
      expect(received!.writable).toBe(true);
      received!.end(sent);
      const download: Buffer[] = [];
      for await (const chunk of client) download.push(chunk as Buffer);
      expect(Buffer.concat(download).equals(sent)).toBe(true);
      await eventually(async () => expect(await listenerState("tcp")).toMatchObject({ httpConnections: 0 }));
    },
  );

  it("closes a client whose backend is down, says so, and serves TURN", async () => {
    await start({ listeners: { tls: at(await freePort("127.0.0.1")) } });
    const client = connectTls({ port: dataplane.ports.tls, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    onTestFinished(() => void client.destroy());
    await expect(once(client, "secureConnect")).rejects.toThrow(/ECONNRESET|disconnected/);
    expect(await dropped("http-backend")).toBe(1);
    expect(await relayed(await secure(await open(dataplane.ports.tls)))).toBe("through");
  });

  it("closes a client whose backend resets the connection", async () => {
    const port = await backend((socket) => socket.once("data", () => socket.resetAndDestroy()));
    await start({ listeners: { tcp: at(port) } });
    const client = await open(dataplane.ports.tcp, Buffer.from("GET / HTTP/1.1\r\n\r\n"));
    const [error] = (await once(client.resume(), "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNRESET");
    await eventually(async () => expect(await listenerState("tcp")).toMatchObject({ httpConnections: 0 }));
  });

  it("closes its connection to the backend when the client has gone", async () => {
    const ended: string[] = [];
    const port = await backend((socket) => socket.resume().once("error", ({ message }) => ended.push(message)));
    await start({ listeners: { tcp: at(port) } });
    const client = await open(dataplane.ports.tcp, Buffer.from("GET / HTTP/1.1\r\n\r\n"));
    await eventually(async () => expect(await listenerState("tcp")).toMatchObject({ httpConnections: 1 }));
    client.resetAndDestroy();
    await eventually(() => expect(ended).toEqual(["read ECONNRESET"]));
  });

  it("keeps open connections when its backend changes or is removed; new ones go to the new one", async () => {
    const talking = (name: string) => backend((socket) => socket.on("data", () => socket.write(name)));
    const [first, second] = [await talking("first"), await talking("second")];
    await start({ listeners: { tcp: at(first) } });
    const ask = async (socket: Socket): Promise<string> => {
      socket.write("GET /");
      const [answer] = (await once(socket, "data")) as [Buffer];
      return answer.toString();
    };
    const old = await open(dataplane.ports.tcp);
    expect(await ask(old)).toBe("first");
    await dataplane.apply({ listeners: { tcp: at(second) } });
    const young = await open(dataplane.ports.tcp);
    expect([await ask(old), await ask(young)]).toEqual(["first", "second"]);
    await dataplane.apply({ listeners: {} });
    expect([await ask(old), await ask(young)]).toEqual(["first", "second"]);
    const late = await open(dataplane.ports.tcp, Buffer.from("GET /"));
    await closed(late);
    expect(await dropped("frame-too-long")).toBe(1);
    expect(await relayed(await open(dataplane.ports.tcp))).toBe("through");
  });

  it("passes on no more connections than its limit allows", async () => {
    const port = await backend((socket) => socket.resume());
    await start({ listeners: { tcp: at(port) } }, { limits: { maxHttpConnections: 1 } });
    await open(dataplane.ports.tcp, Buffer.from("GET /"));
    await eventually(async () => expect(await listenerState("tcp")).toMatchObject({ httpConnections: 1 }));
    const second = await open(dataplane.ports.tcp, Buffer.from("GET /"));
    await closed(second);
    expect(await dropped("http-connections")).toBe(1);
    expect(await relayed(await open(dataplane.ports.tcp))).toBe("through");
  });

  it("closes a connection without data", async () => {
    const port = await backend((socket) => socket.resume());
    await start({ listeners: { tcp: at(port) } }, { limits: { idleHttpMilliseconds: 50 } });
    const idle = await open(dataplane.ports.tcp, Buffer.from("GET /"));
    await closed(idle);
    expect(await dropped("http-idle")).toBe(1);
  });

  it("drops clients that do not say what they want, and what is neither TLS nor TURN; others are served", async () => {
    const { port, clients } = await site("the site", { certificate: siteCertificate });
    await start(
      { listeners: { tls: at(port, "v2"), tcp: at(port, "v2") } },
      { limits: { handshakeMilliseconds: 200, idleConnectionMilliseconds: 200 } },
    );
    const beginnings = [
      Buffer.alloc(0),
      Buffer.from([22, 3, 1, 2]),
      Buffer.from([22, 3, 1, 0x3f, 0xff, 1]),
      Buffer.from([0, 1, 0, 0]),
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      Buffer.alloc(20_000, 0x16),
    ];
    const sockets = await Promise.all(beginnings.map((bytes) => open(dataplane.ports.tls, bytes)));
    const silent = await open(dataplane.ports.tcp, Buffer.from([0, 1]));
    await Promise.all([...sockets, silent].map(closed));
    expect(await dropped("handshake")).toBe(beginnings.length);
    expect(await dropped("idle-connection")).toBe(1);
    expect(clients).toEqual([]);
    expect(await get(dataplane.ports.tls, true)).toMatchObject({ text: "the site" });
  });

  it("closes its connections with the dataplane, which does not wait for them", async () => {
    const port = await backend((socket) => socket.resume());
    await start({ listeners: { tcp: at(port) } });
    const client = await open(dataplane.ports.tcp, Buffer.from("GET /"));
    await eventually(async () => expect(await listenerState("tcp")).toMatchObject({ httpConnections: 1 }));
    await dataplane.dataplane.drain("a test");
    const isClosed = closed(client);
    await dataplane.dataplane.relay.remove("media/gateway");
    await isClosed;
  });
});

it("a listener without a backend serves TURN to clients that offer HTTP, as ever", async () => {
  await start({});
  const tls = await secure(await open(dataplane.ports.tls), ["h2", "http/1.1"]);
  expect(tls.alpnProtocol).toBe(false);
  expect(await relayed(tls)).toBe("through");
});

it("a listener that answers only Binding requests agrees on stun.nat-discovery alone", async () => {
  await start({ auth: { type: "none", realm: "", credentials: {} } });
  const offered = [["stun.turn"], ["stun.turn", "stun.nat-discovery"]];
  const agreed = await Promise.all(
    offered.map(async (protocols) => (await secure(await open(dataplane.ports.tls), protocols)).alpnProtocol),
  );
  expect(agreed).toEqual([false, "stun.nat-discovery"]);
});
