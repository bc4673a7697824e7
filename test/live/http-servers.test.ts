/** Every HTTP server of ours, asked for all sorts of things: none may end the process, and each answers afterwards. */
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metricsListener, probeListener } from "../../src/admin/probes.ts";
import { startAdmin } from "../../src/admin/server.ts";
import { startAuthService } from "../../src/credentials/auth-service.ts";
import { startDiscovery } from "../../src/discovery/server.ts";
import { serveHttp, type HttpEndpoint } from "../../src/http.ts";
import { settingsOf } from "../../src/icetest/settings.ts";
import { startWhipServer } from "../../src/icetest/whip-server.ts";
import { mutate } from "../fuzz/mutate.ts";
import { startTestDataplane, type TestDataplane } from "../support/dataplane.ts";
import { freePort } from "../support/free-port.ts";

const MUTATIONS = 400;
/** What does not answer is not waited for longer than this, in ms; nothing is asserted of it. */
const PATIENCE_MS = 500;

let dataplane: TestDataplane;
let healthPort: number;
let metricsPort: number;
const opened: Pick<HttpEndpoint, "close">[] = [];
const uncaught: unknown[] = [];
const note = (error: unknown): void => void uncaught.push(error);

const keep = async <T extends HttpEndpoint>(opening: Promise<T>): Promise<T> => {
  const endpoint = await opening;
  opened.push(endpoint);
  return endpoint;
};

const servers: Readonly<Record<string, { readonly open: () => Promise<number>; readonly path: string }>> = {
  "the admin API of a dataplane": {
    open: () => Promise.resolve(Number(dataplane.dataplane.admin?.port)),
    path: "/api/v1/traffic?match=a&show=3&peer=127.0.0.1",
  },
  "the admin API over a log, with a token": {
    open: async () =>
      (await keep(startAdmin({ host: "127.0.0.1", port: 0, token: "t", journal: dataplane.journal }))).port,
    path: "/api/v1/log?from=1&last=5",
  },
  "the health probes of a dataplane": { open: () => Promise.resolve(healthPort), path: "/status" },
  "the metrics of a dataplane": { open: () => Promise.resolve(metricsPort), path: "/metrics" },
  "the health probes of an operator": {
    open: async () =>
      (
        await keep(
          serveHttp(
            "127.0.0.1",
            0,
            probeListener(() => undefined),
          ),
        )
      ).port,
    path: "/readyz",
  },
  "the metrics of an operator whose metrics fail": {
    open: async () => {
      const metrics = { contentType: "text/plain", scrape: () => Promise.reject(new Error("no metrics")) };
      return (await keep(serveHttp("127.0.0.1", 0, metricsListener(metrics)))).port;
    },
    path: "/metrics",
  },
  "the config discovery service": {
    open: async () => {
      const addressesOfNode = () => [];
      const server = await keep(startDiscovery({ host: "127.0.0.1", port: 0, addressesOfNode, isReady: () => true }));
      server.set("media/gateway", dataplane.config());
      return server.port;
    },
    path: "/api/v1/configs/media/gateway?watch=false&node=a",
  },
  "the authentication service": {
    open: async () =>
      (await keep(startAuthService({ host: "127.0.0.1", port: 0, configs: () => [dataplane.config()] }))).port,
    path: "/ice?service=turn&ttl=60&username=a",
  },
  "the ICE tester": {
    open: async () => (await keep(startWhipServer({ host: "127.0.0.1", port: 0, settings: settingsOf({}) }))).port,
    path: "/config",
  },
};

/** Sends `bytes` over a connection of its own; resolves to the start of the answer, or nothing where there was none. */
const exchange = (port: number, bytes: string | Buffer): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      socket.destroy();
    });
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(text);
    });
    socket.end(bytes);
  });

const TARGETS = `
*
//
///[
/%
/%00
/%zz
/%ff
/..
/../../../etc/passwd
/.%2e/
/\\..\\
/?
/#
http://[
http://[::1
http://a:99999/
http://
https://a@b:c/
mailto:x
data:,
a:b
[::1]
/api/
/api/v1
/api/v1/log?from=-1&last=9e99
/api/v1/log?follow&from=999999999999999
/api/v1/state/
/api/v1/traffic?show=99999999999999999999&match=(((&peer=%
/api/v1/machines?%E0%A4%A
/call/..
/app/%2e
/api/v1/configs?watch=true
/api/v1/configs/a/b/c/d?watch=%
/api/v1/configs/__proto__/constructor
/ice?service=turn&ttl=99999999999999999999
/?service=turn&ttl=-1&username=%00%ff
/?service[]=turn&gateway=
/whip
/whip/
/config
/metrics/../metrics
`
  .trim()
  .split("\n")
  .concat(`/${"a".repeat(8000)}`, `/?${"a=b&".repeat(3000)}`);
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "CONNECT", "QUERY"];
const HEADERS = [
  "host: [",
  "host: :::",
  `host: ${"h".repeat(4000)}`,
  "host: \xff\xfe",
  "authorization: Bearer t",
  `authorization: ${"x".repeat(4000)}`,
  "content-type: application/sdp\r\ncontent-length: 20\r\n\r\nm=application 9 \xff\xff\r\n",
  "content-type: application/sdp\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\nx",
  'content-type: application/json\r\ncontent-length: 16\r\n\r\n{"__proto__":{}}',
  "content-type: application/json\r\ncontent-length: 4\r\n\r\nnull",
  "content-length: 99999999999",
  "content-length: -1",
  "expect: 100-continue",
  "expect: the impossible",
  "connection: upgrade\r\nupgrade: websocket",
  "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
  "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 99\r\nsec-websocket-key: \xff",
  "connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__",
  "accept-encoding: gzip;q=nothing, \xff",
  'if-none-match: "\xff"\r\nrange: bytes=9-1,-,x',
];

/** The same every time. */
const randomOf = (seed: number) => (): number => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 0x1_0000_0000;
};

beforeAll(async () => {
  process.on("uncaughtException", note);
  process.on("unhandledRejection", note);
  [healthPort, metricsPort] = [await freePort("127.0.0.1"), await freePort("127.0.0.1")];
  dataplane = await startTestDataplane(
    {
      admin: {
        healthcheck_endpoint: `http://127.0.0.1:${healthPort}`,
        metrics_endpoint: `http://127.0.0.1:${metricsPort}/metrics`,
      },
    },
    { engine: "dgram", admin: true },
  );
});
afterAll(async () => {
  await Promise.all(opened.map((one) => one.close()));
  await dataplane.stop();
  process.off("uncaughtException", note);
  process.off("unhandledRejection", note);
});

describe.each(Object.keys(servers))("%s", (name) => {
  it("outlives whatever is asked of it", async () => {
    const { open, path } = servers[name]!;
    const port = await open();
    const plain = `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
    const before = (await exchange(port, plain)).split("\r\n")[0];
    expect(before).toMatch(/^HTTP\/1\.1 \d{3} /);

    const requests: Buffer[] = [
      ...TARGETS.flatMap((target) =>
        ["GET", "POST"].map((method) => `${method} ${target} HTTP/1.1\r\nhost: localhost\r\n\r\n`),
      ),
      ...METHODS.map((method) => `${method} ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`),
      ...HEADERS.flatMap((header) =>
        [path, "/whip", "/config", "/api/v1/configs/media/gateway?watch=true"].flatMap((target) =>
          ["GET", "POST"].map((method) => `${method} ${target} HTTP/1.1\r\nhost: localhost\r\n${header}\r\n\r\n`),
        ),
      ),
      `GET ${path} HTTP/1.0\r\n\r\n`,
      `GET ${path}\r\n\r\n`,
      "\x16\x03\x01\x02\x00\x01\x00",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      plain.repeat(50),
    ].map((text) => Buffer.from(text, "latin1"));
    const random = randomOf(name.length);
    const some = (): Buffer => requests[Math.floor(random() * requests.length)] ?? Buffer.alloc(0);
    const mutated = Array.from({ length: MUTATIONS }, () => mutate(some(), some(), random));

    const all = [...requests, ...mutated];
    const workers = Array.from({ length: 16 }, async () => {
      for (let bytes = all.pop(); bytes !== undefined; bytes = all.pop()) await exchange(port, bytes);
    });
    await Promise.all(workers);

    expect(uncaught).toEqual([]);
    await expect.poll(async () => (await exchange(port, plain)).split("\r\n")[0]).toBe(before);
  });
});
