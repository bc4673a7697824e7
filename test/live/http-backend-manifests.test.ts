/** A Gateway whose annotation names a web site: from manifests to bytes, without a cluster. */
import { once } from "node:events";
import { createServer, connect, type AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it, onTestFinished } from "vitest";
import type { GatewayStatus } from "../../src/render/render.ts";
import type { Name, ObjectKey } from "../../src/resources/keys.ts";
import { freePort } from "../support/free-port.ts";
import { startEchoBackend, startLive, type EchoBackend, type Live, type World } from "../support/live.ts";
import { gateway, service, udpRoute, withMetadata } from "../support/manifests.ts";
import { startStream } from "../support/stream.ts";

const NAME = "default/shared" as Name;
let live: Live;
let echo: EchoBackend;
let port: number;

/** Says its name to whoever connects. */
const siteCalled = async (name: string): Promise<number> => {
  const server = createServer((socket) => socket.on("error", () => undefined).once("data", () => socket.end(name)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
};

const worldWith = (backend: string, sitePort: number): World => ({
  more: [
    withMetadata(gateway(NAME, "media", [{ name: "tcp", port, protocol: "TURN-TCP" }]), {
      annotations: {
        "turnpike.dev/http-backends": `{"tcp": "${backend}"}`,
        "turnpike.dev/http-backend-proxy-protocol": '{"tcp": "none"}',
      },
    }),
    udpRoute(NAME, [{ name: "shared" }], [{ name: "echo" }]),
    service("default/site", { clusterIP: "127.0.0.1", ports: [{ port: sitePort }] }),
  ],
});

const asked = async (): Promise<string> => {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  socket.write("GET / HTTP/1.1\r\n\r\n");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(socket, "close");
  return text;
};
const accepted = (): string => {
  const status = live.standalone.loop.core.status(`Gateway/${NAME}` as ObjectKey) as GatewayStatus | undefined;
  return status?.conditions.find(({ type }) => type === "Accepted")?.message ?? "";
};

beforeEach(async () => {
  echo = await startEchoBackend();
  port = await freePort("127.0.0.1");
});
afterEach(async () => {
  await live.stop();
  await echo.close();
});

it("a listener follows its annotation and its Service, and calls continue", async () => {
  const [first, second] = [await siteCalled("first"), await siteCalled("second")];
  live = await startLive(worldWith(`site:${first}`, first));
  const call = await startStream(
    { host: "127.0.0.1", port, transport: "tcp", username: "user-1", password: "pass-1" },
    echo,
  );
  await call.flows(10);
  expect(await asked()).toBe("first");
  live.write(worldWith(`site:${second}`, second));
  await expect.poll(asked).toBe("second");
  live.write(worldWith(`absent:${second}`, second));
  await expect.poll(accepted).toMatch("ignored: turnpike.dev/http-backends of tcp: Service default/absent not found");
  await expect.poll(asked).toBe("");
  await call.flows(10);
  call.stop();
  expect(await call.lost()).toEqual([]);
  expect(live.facts.filter(({ type }) => type === "listener.closed" || type === "effect.failed")).toEqual([]);
});
