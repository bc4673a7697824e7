/** Several certificates on one listener: each client gets the one for the name that it asks for, over TLS and DTLS. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CertificateConfig } from "../../src/resources/dataplane-config.ts";
import { makeCertificate, type TestCertificate } from "../support/certificate.ts";
import { credentials, startTestDataplane, type ConfigChanges, type TestDataplane } from "../support/dataplane.ts";
import { startEchoBackend, type EchoBackend } from "../support/live.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { startStream } from "../support/stream.ts";

const first = makeCertificate("first");
const many = makeCertificate("many", "rsa", [], "DNS:a.example,DNS:*.b.example");
const exact = makeCertificate("exact", "ec", [], "DNS:x.b.example");
const renewed = makeCertificate("renewed", "ec", [], "DNS:a.example");

const configOf = ({ cert64, key64 }: TestCertificate): CertificateConfig => ({ cert: cert64, key: key64 });
const serving = (...certificates: readonly CertificateConfig[]): ConfigChanges => ({
  certificate: first,
  listeners: { tls: { certificates }, dtls: { certificates } },
});

let dataplane: TestDataplane;
let echo: EchoBackend;

beforeEach(async () => {
  echo = await startEchoBackend();
  dataplane = await startTestDataplane(serving(configOf(many), configOf(exact)));
});
afterEach(async () => {
  await dataplane.stop();
  await echo.close();
});

/** What openssl says of its session. */
const askDtls = async (...options: readonly string[]): Promise<string> => {
  const args = ["s_client", "-dtls1_2", "-connect", `127.0.0.1:${dataplane.ports.dtls}`, ...options];
  const child = execFile("openssl", args, { timeout: PATIENCE_MS });
  let text = "";
  child.stdout?.on("data", (chunk: string) => {
    text += chunk;
    if (text.includes("Verify return code")) child.stdin?.end("Q\n");
  });
  await once(child, "close");
  return text;
};

/** The common name of the certificate that a client gets. */
const served: Readonly<Record<"tls" | "dtls", (name: string) => Promise<string>>> = {
  tls: (servername) =>
    new Promise((resolve, reject) => {
      const socket = connect({ port: dataplane.ports.tls, servername, rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      });
      socket.once("error", reject);
    }),
  async dtls(name) {
    const text = await askDtls(...(name === "" ? ["-noservername"] : ["-servername", name]));
    return /subject=CN = (\S+)/.exec(text)?.[1] ?? text;
  },
};

it.each([
  ["stun.turn", "static", "stun.turn"],
  ["stun.nat-discovery,stun.turn", "static", "stun.turn"],
  ["stun.nat-discovery,stun.turn", "none", "stun.nat-discovery"],
  ["stun.turn", "none", undefined],
  ["h2,http/1.1", "static", undefined],
] as const)(
  "a DTLS listener agrees with a client that offers %s, authentication being %s, on %s",
  async (offered, type, agreed) => {
    if (type === "none") await dataplane.apply({ auth: { type, realm: "", credentials: {} } });
    const text = await askDtls("-alpn", offered);
    expect(/ALPN protocol: (\S+)/.exec(text)?.[1]).toBe(agreed);
    expect(text).toContain("Verify return code");
  },
);

describe.each(["tls", "dtls"] as const)("a listener with several certificates, over %s", (transport) => {
  it("serves the one for the client's name, an exact one before a wildcard, or the first", async () => {
    const names = ["a.example", "y.b.example", "x.b.example", "A.EXAMPLE", "b.example", "unknown.example", ""];
    const answers: string[] = [];
    for (const name of names) answers.push(await served[transport](name));
    expect(answers).toEqual(["many", "many", "exact", "many", "first", "first", "first"]);
  });

  it("renews one without an end to a call; one that cannot be used costs only itself", async () => {
    const to = { host: "127.0.0.1", port: dataplane.ports[transport], transport, insecure: true, ...credentials };
    const call = await startStream(to, echo);
    await call.flows(10);
    const mixed = { cert: renewed.cert64, key: exact.key64 };
    await dataplane.apply(serving(mixed, configOf(renewed)));
    // The one before it stays at its place.
    expect(await served[transport]("y.b.example")).toBe("many");
    await dataplane.apply(serving(configOf(renewed)));
    expect([await served[transport]("a.example"), await served[transport]("y.b.example")]).toEqual([
      "renewed",
      "first",
    ]);
    await call.flows(10);
    call.stop();
    expect(await call.lost()).toEqual([]);
    expect(dataplane.facts).toContainEqual(
      expect.objectContaining({
        type: "effect.failed",
        data: expect.objectContaining({
          target: `media/gateway/${transport}`,
          reason: expect.stringContaining("certificates[0]"),
        }),
      }),
    );
  });
});
