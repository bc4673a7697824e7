/** Calls over TLS and DTLS whose certificate becomes unusable: nobody loses one, and the next good certificate is served. */
import { connect } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Name, ObjectKey } from "../../src/resources/keys.ts";
import type { GatewayStatus } from "../../src/render/render.ts";
import { makeCertificate, type TestCertificate } from "../support/certificate.ts";
import { freePort } from "../support/free-port.ts";
import { startEchoBackend, startLive, type EchoBackend, type Live, type World } from "../support/live.ts";
import { startStream, type Stream } from "../support/stream.ts";

const NAME = "default/secure" as Name;
const credentials = { username: "user-1", password: "pass-1" };
const first = makeCertificate("first");
const second = makeCertificate("second");

const secretOf = (data: Readonly<Record<string, string>>): unknown => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "certificate", namespace: "default" },
  type: "kubernetes.io/tls",
  data,
});
const whole = ({ cert64, key64 }: TestCertificate): unknown => secretOf({ "tls.crt": cert64, "tls.key": key64 });

describe("a call over TLS or DTLS", () => {
  let live: Live;
  let backend: EchoBackend;
  let streams: Stream[];
  let port: number;

  const worldWith = (...secrets: readonly unknown[]): World => ({
    more: [
      {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "Gateway",
        metadata: { name: "secure", namespace: "default" },
        spec: {
          gatewayClassName: "media",
          listeners: ["TURN-TLS", "TURN-DTLS"].map((protocol) => ({
            name: protocol.toLowerCase(),
            port,
            protocol,
            tls: { certificateRefs: [{ name: "certificate" }] },
          })),
        },
      },
      {
        apiVersion: "stunner.l7mp.io/v1",
        kind: "UDPRoute",
        metadata: { name: "secure", namespace: "default" },
        spec: { parentRefs: [{ name: "secure" }], rules: [{ backendRefs: [{ name: "echo" }] }] },
      },
      ...secrets,
    ],
  });
  const call = async (transport: "tls" | "dtls"): Promise<Stream> => {
    const stream = await startStream({ host: "127.0.0.1", port, transport, insecure: true, ...credentials }, backend);
    streams.push(stream);
    return stream;
  };
  const subject = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      });
      socket.once("error", reject);
    });
  const messages = (): readonly string[] => {
    const status = live.standalone.loop.core.status(`Gateway/${NAME}` as ObjectKey) as GatewayStatus | undefined;
    return (status?.listeners ?? []).map(
      ({ conditions }) => conditions.find(({ type }) => type === "ResolvedRefs")?.message ?? "",
    );
  };

  beforeEach(async () => {
    backend = await startEchoBackend();
    port = await freePort("127.0.0.1");
    streams = [];
    live = await startLive(worldWith(whole(first)));
  });
  afterEach(async () => {
    for (const stream of streams) stream.stop();
    await live.stop();
    await backend.close();
  });

  it.each([
    ["has the key of another", [secretOf({ "tls.crt": second.cert64, "tls.key": first.key64 })], /does not match/],
    ["has no key", [secretOf({ "tls.crt": second.cert64 })], /no certificate or no key/],
    ["is deleted", [], /not found/],
  ])("continues when the Secret %s, and so do new ones, until a good certificate is there", async (_, broken, why) => {
    const calls = await Promise.all([call("tls"), call("dtls")]);
    await Promise.all(calls.map((one) => one.flows(10)));

    live.write(worldWith(...broken));
    const told = expect.stringMatching(new RegExp(`${why.source}.*the last good certificate is served`));
    await expect.poll(messages).toEqual([told, told]);
    expect(await subject()).toBe("first");
    calls.push(...(await Promise.all([call("tls"), call("dtls")])));
    await Promise.all(calls.map((one) => one.flows(20)));

    live.write(worldWith(whole(second)));
    await expect.poll(subject).toBe("second");
    await Promise.all(calls.map((one) => one.flows(20)));
    expect(await Promise.all(calls.map((one) => one.lost()))).toEqual(calls.map(() => []));
    expect(live.facts.filter(({ type }) => type === "listener.closed" || type === "effect.failed")).toEqual([]);
  });
});
