/** `turnpike connect`: programs that know nothing of TURN, through a live relay and back. */
import { spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket as NetSocket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startDiscovery, type DiscoveryServer } from "../../src/discovery/server.ts";
import { launch, turnpike, type CommandOptions, type Running } from "../support/commands.ts";
import { GATEWAY, startTestDataplane, transports, type TestDataplane } from "../support/dataplane.ts";
import { freePort } from "../support/free-port.ts";
import { startEchoBackend, type EchoBackend } from "../support/live.ts";
import { eventually } from "../support/eventually.ts";

let relay: TestDataplane;
let echo: EchoBackend;
let discovery: DiscoveryServer;

beforeAll(async () => {
  relay = await startTestDataplane({
    clusters: [
      { name: "media/udp", type: "STATIC", protocol: "UDP", endpoints: ["127.0.0.1"] },
      { name: "media/tcp", type: "STATIC", protocol: "TCP", endpoints: ["127.0.0.1"] },
    ],
  });
  echo = await startEchoBackend();
  discovery = await startDiscovery({ host: "127.0.0.1", port: 0, addressesOfNode: () => [], isReady: () => true });
});
afterAll(async () => {
  await relay.stop();
  await echo.close();
  await discovery.close();
});

const uri = (transport: (typeof transports)[number]): string =>
  `turn://user-1:pass-1@127.0.0.1:${relay.ports[transport]}?transport=${transport}`;

const tunnel = async (args: readonly string[], options: CommandOptions = {}): Promise<Running> => {
  const running = launch(["connect", "--insecure", ...args], options);
  onTestFinished(async () => void (await running.stop()));
  await running.printed(/⇄ turn/);
  return running;
};

const portOf = ({ output }: Running): number => Number(/:\/\/127\.0\.0\.1:(\d+) ⇄/.exec(output)?.[1]);

interface IperfResult {
  readonly end: {
    readonly sum?: { readonly bytes: number; readonly packets: number };
    readonly sum_received?: { readonly bytes: number };
  };
}

/** iperf3 on loopback, its client at `port`; resolves to what it measured. @throws when it does not exit with 0. */
const iperf = async (server: number, port: number, args: readonly string[]): Promise<IperfResult> => {
  const serving = spawn("iperf3", ["-s", "-1", "-B", "127.0.0.1", "-p", String(server), "--forceflush"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const served = once(serving, "exit");
  await once(serving.stdout, "data");
  const client = spawn("iperf3", ["-c", "127.0.0.1", "-p", String(port), "-J", ...args]);
  let text = "";
  client.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const [code] = await once(client, "close");
  expect(code, text).toBe(0);
  serving.kill();
  await served;
  return JSON.parse(text) as IperfResult;
};

describe("iperf3", () => {
  it.each(transports)("sends UDP through %s", async (transport) => {
    const [server, port] = [await freePort("127.0.0.1"), await freePort("127.0.0.1")];
    // It speaks TCP beside, at the port of the same number.
    const control = transport === "dtls" ? "tls" : transport === "udp" ? "tcp" : transport;
    await Promise.all([
      tunnel([`udp://127.0.0.1:${port}`, uri(transport), `udp://127.0.0.1:${server}`]),
      tunnel([`tcp://127.0.0.1:${port}`, uri(control), `tcp://127.0.0.1:${server}`]),
    ]);
    const size = ["-l", "1000", "-b", "8M", "-n", "200K"];
    // It begins with one datagram that it does not repeat: on a busy machine that one may be lost.
    for (const direction of [[], ["-R"]]) {
      let packets: number | undefined;
      for (let tries = 0; packets === undefined && tries < 3; tries++)
        packets = (await iperf(server, port, ["-u", ...direction, ...size])).end.sum?.packets;
      expect(packets).toBeGreaterThan(100);
    }
  });

  it.each(["tcp", "tls"] as const)("sends TCP through %s", async (transport) => {
    const server = await freePort("127.0.0.1");
    const running = await tunnel(["tcp://127.0.0.1:0", uri(transport), `tcp://127.0.0.1:${server}`]);
    for (const direction of [[], ["-R"], ["-P", "4"]]) {
      const { end } = await iperf(server, portOf(running), ["-t", "1", ...direction]);
      expect(end.sum_received?.bytes).toBeGreaterThan(100_000);
    }
  });
});

const newSocket = (): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1", () => resolve(socket));
  });

/** Says something until it comes back. */
const expectEcho = async (socket: Socket, port: number, text: string): Promise<void> => {
  let heard = "";
  socket.on("message", (bytes) => (heard = bytes.toString()));
  await eventually(() => {
    socket.send(text, port, "127.0.0.1");
    expect(heard).toBe(text);
  });
};

const allocations = async (): Promise<number> => (await relay.dataplane.status()).allocationCount;

describe("turnpike connect", () => {
  it("gives each local client an allocation of its own, and all of them back on Ctrl-C, exiting 0", async () => {
    const running = await tunnel(["-v", "udp://127.0.0.1:0", uri("udp"), `udp://127.0.0.1:${echo.port}`]);
    const sockets = await Promise.all(Array.from({ length: 20 }, newSocket));
    await Promise.all(sockets.map((socket, n) => expectEcho(socket, portOf(running), `client ${n}`)));
    expect(await allocations()).toBe(20);
    expect(await running.stop("SIGINT")).toBe(0);
    expect(await allocations()).toBe(0);
    expect(running.output.match(/: opened\n/g)).toHaveLength(20);
    for (const socket of sockets) socket.close();
  });

  it("forgets a client that is idle, if asked to", async () => {
    const target = [uri("udp"), `udp://127.0.0.1:${echo.port}`];
    const running = await tunnel(["--idle-timeout", "1", "udp://127.0.0.1:0", ...target]);
    const socket = await newSocket();
    await expectEcho(socket, portOf(running), "once");
    await running.printed(/: closed, idle/);
    await eventually(async () => expect(await allocations()).toBe(0));
    await expectEcho(socket, portOf(running), "again");
    socket.close();
  });

  it.each([
    ["closed", (socket: NetSocket) => socket.end(), /: closed, the server closed the connection/],
    // A write may meet the reset before a read does.
    ["reset", (socket: NetSocket) => socket.resetAndDestroy(), /: closed, (?:read|write) (?:ECONNRESET|EPIPE)/],
  ] as const)("begins anew when its connection to the server is %s", async (_, lose, told) => {
    const connections = new Map<NetSocket, NetSocket>();
    const between = createServer((socket) => {
      const onward = connect(relay.ports.tcp, "127.0.0.1");
      for (const one of [socket, onward]) one.on("error", () => undefined);
      socket.pipe(onward).pipe(socket);
      connections.set(socket, onward);
    });
    between.listen(0, "127.0.0.1");
    await once(between, "listening");
    const { port } = between.address() as { port: number };
    const server = `turn://user-1:pass-1@127.0.0.1:${port}?transport=tcp`;
    const running = await tunnel(["udp://127.0.0.1:0", server, `udp://127.0.0.1:${echo.port}`]);
    const socket = await newSocket();
    await expectEcho(socket, portOf(running), "before");
    // Echoes that are still on their way must not be written to a socket that has ended: that would reset it.
    for (const [one, onward] of connections) {
      onward.unpipe(one);
      lose(one);
    }
    await running.printed(told);
    await expectEcho(socket, portOf(running), "after");
    socket.close();
    await running.stop();
    between.close();
  });

  it.each(["udp", "dtls"] as const)(
    "carries standard input to a UDP peer over %s and prints its answer",
    async (transport) => {
      const running = await tunnel(["--linger", "1", "-", uri(transport), `udp://127.0.0.1:${echo.port}`], {
        input: true,
      });
      running.child.stdin?.end("hello");
      expect(await running.ended).toBe(0);
      expect(running.stdout).toBe("hello");
    },
  );

  it("carries a connection to a TCP peer, and waits for the answer to one that is half-closed", async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        if (text.length === 100_000) socket.end(text.toUpperCase());
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const running = await tunnel(["tcp://127.0.0.1:0", uri("tcp"), `tcp://127.0.0.1:${port}`]);
    const client = connect(portOf(running), "127.0.0.1");
    client.end("x".repeat(100_000));
    let answer = "";
    client.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    await once(client, "close");
    expect(answer).toBe("X".repeat(100_000));
    server.close();
  });

  it("makes datagrams of what comes over a local connection", async () => {
    const running = await tunnel(["tcp://127.0.0.1:0", uri("tls"), `udp://127.0.0.1:${echo.port}`]);
    const client = connect(portOf(running), "127.0.0.1");
    client.write("ping");
    const [answer] = (await once(client, "data")) as [Buffer];
    expect(answer.toString()).toBe("ping");
    client.destroy();
  });

  it("finds a listener by its name, and makes time-limited credentials from the Gateway's secret", async () => {
    const auth = {
      type: "ephemeral",
      realm: "stunner.l7mp.io",
      credentials: { secret: "a secret to look for" },
    } as const;
    await relay.apply({ auth });
    const config = relay.config({ auth });
    const listeners = config.listeners?.map((one) => ({ ...one, public_address: "localhost", public_port: one.port }));
    discovery.replace([{ ...config, listeners: listeners ?? [] }]);
    const at = `127.0.0.1:${discovery.port}`;
    const args = ["udp://127.0.0.1:0", `k8s://${GATEWAY}:dtls`, `udp://127.0.0.1:${echo.port}`];
    const running = await tunnel(["--discovery", at, ...args]);
    const socket = await newSocket();
    await expectEcho(socket, portOf(running), "by name");
    socket.close();
    expect(running.output).not.toContain("secret");

    const missing = ["--discovery", at, "-", "k8s://media/gateway:sctp", "udp://127.0.0.1:9"];
    const { code, stderr } = await turnpike(["connect", ...missing]);
    expect(stderr).toBe(
      "turnpike: gateway media/gateway has no listeners sctp; it has udp, tcp, tls, dtls (gateway-unknown)\n",
    );
    expect(code).toBe(1);
    await relay.apply();
  });

  describe.each(["static", "ephemeral"] as const)("as turncat, with %s credentials", (type) => {
    const auth = { type: "ephemeral", realm: "stunner.l7mp.io", credentials: { secret: "shared-secret" } } as const;
    beforeAll(async () => {
      if (type === "ephemeral") await relay.apply({ auth });
      const config = relay.config(type === "ephemeral" ? { auth } : {});
      const listeners = config.listeners?.map((one) => ({
        ...one,
        public_address: "127.0.0.1",
        public_port: one.port,
      }));
      discovery.replace([{ ...config, listeners: listeners ?? [] }]);
    });
    afterAll(async () => {
      if (type === "ephemeral") await relay.apply();
    });

    it.each([
      ["udp", "udp"],
      ["udp", "tcp"],
      ["tcp", "udp"],
      ["tcp", "tcp"],
    ])("echoes for a client of %s over a server of %s", async (client, server) => {
      const cds = ["--cds-server-address=127.0.0.1", `--cds-server-port=${discovery.port}`, "-l", "all:WARN"];
      const args = [`${client}://127.0.0.1:0`, `k8s:///gateway:${server}`, `udp://localhost:${echo.port}`];
      const running = launch(["-n", "media", ...cds, ...args], { as: "turncat" });
      onTestFinished(async () => void (await running.stop()));
      await running.printed(/⇄ turn/);
      if (client === "udp") {
        const socket = await newSocket();
        await expectEcho(socket, portOf(running), "udp");
        socket.close();
      } else {
        const socket = connect(portOf(running), "127.0.0.1");
        socket.write("tcp");
        const [answer] = (await once(socket, "data")) as [Buffer];
        expect(answer.toString()).toBe("tcp");
        socket.destroy();
      }
      expect(await running.stop("SIGINT")).toBe(0);
    });
  });

  it.each(["tls", "dtls"] as const)("looks at the certificate over %s", async (transport) => {
    const args = ["-", uri(transport), `udp://127.0.0.1:${echo.port}`];
    const refused = await turnpike(["connect", ...args]);
    expect(refused.stderr).toMatch(/^turnpike: allocate at .*(self-signed|handshake failed).*\(connect-failed\)\n$/);
    expect(refused.code).toBe(1);
    const ca = join(relay.journal, "..", "ca.pem");
    writeFileSync(ca, relay.certificate.certificate);
    const other = await turnpike(["connect", "--ca-file", ca, "--sni", "elsewhere.example", ...args]);
    expect(other.stderr).toMatch(/\(connect-failed\)\n$/);
    const taken = await turnpike(["connect", "--ca-file", ca, "--linger", "0.01", ...args]);
    expect(taken).toMatchObject({ code: 0, stderr: expect.stringContaining("⇄ turn") as string });
    rmSync(ca);
  });

  it.each([
    [
      "user or password",
      ["-", "turn://user-1:wrong@SERVER", "udp://127.0.0.1:9"],
      /refused with 401; user name or password are not/,
    ],
    [
      "peer",
      ["-", "turn://user-1:pass-1@SERVER", "udp://127.0.0.9:9"],
      /reach 127\.0\.0\.9:9: .*403; no route of this listener/,
    ],
    [
      "bind",
      ["udp://192.0.2.1:1", "turn://user-1:pass-1@SERVER", "udp://127.0.0.1:9"],
      /EADDRNOTAVAIL.*\(bind-failed\)/,
    ],
  ])("says what is wrong with the %s, and exits 1", async (_, args, message) => {
    const { code, stderr } = await turnpike([
      "connect",
      ...args.map((arg) => arg.replace("SERVER", `127.0.0.1:${relay.ports.udp}`)),
    ]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/wrong|pass-1| at .*\.ts:/);
    expect(code).toBe(1);
  });

  it.each([
    [["udp://x", "turn://a:b@127.0.0.1", "udp://127.0.0.1:9"]],
    [["-", "http://127.0.0.1", "udp://127.0.0.1:9"]],
    [["-", "k8s://a/b", "udp://127.0.0.1:9"]],
    [["-", "turn://127.0.0.1", "udp://127.0.0.1:9"]],
    [["-", "turn://a:b@127.0.0.1", "127.0.0.1:9"]],
    [["-", "turn://a:b@127.0.0.1", "tcp://127.0.0.1:9"]],
    [["udp://127.0.0.1:1", "turn://a:b@127.0.0.1?transport=tcp", "tcp://127.0.0.1:9"]],
  ])("exits 2 at %j", async (args) => {
    const { code, stderr } = await turnpike(["connect", ...args]);
    expect(stderr).not.toMatch(/ at .*\.ts:/);
    expect(code, stderr).toBe(2);
  });
});
