/**
 * Port 443 shared by a web site and TURN, as the guide says: Chromium gets the page from there, and the page holds a call
 * through it. The configurations of nginx, HAProxy and Envoy are those of the guide, word by word.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { tiedToUs } from "../cluster/process.ts";
import { envoy } from "../interop/python.ts";
import { makeCertificate } from "../support/certificate.ts";
import { launchChromium } from "../support/chromium.ts";
import { startTestDataplane, type TestDataplane } from "../support/dataplane.ts";
import { eventually } from "../support/eventually.ts";
import { enterOwnNetwork, HOST_ADDRESS } from "../support/network.ts";
import { startWebSite, type WebSite } from "../support/web-site.ts";

const guide = readFileSync(new URL("../../docs/guides/port-443.md", import.meta.url), "utf8");
/** The ports of the guide. */
const [SITE_PORT, TURN_PORT] = [8443, 5349];
const turnCertificate = makeCertificate("turn.example.org");
const siteCertificate = makeCertificate("www.example.org");

let envoyProgram: string;
let browser: Browser;
let site: WebSite;
let dataplane: TestDataplane;
let folder: string;

beforeAll(async () => {
  // A network of its own has no way to the package.
  envoyProgram = await envoy();
  enterOwnNetwork();
  folder = mkdtempSync(join(tmpdir(), "turnpike-443-"));
  browser = await launchChromium([turnCertificate, siteCertificate].map(({ certificate }) => certificate));
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  await dataplane.stop();
  await site.close();
});

/** The block of the guide that is the configuration of `program`. */
const configurationOf = (program: string, extension = "conf"): string => {
  const [, text] = new RegExp(`^\`\`\`${program}\\n([\\s\\S]*?)^\`\`\``, "m").exec(guide) ?? [];
  if (text === undefined) throw new Error(`the guide has no configuration of ${program}`);
  const path = join(folder, `${program}.${extension}`);
  writeFileSync(path, text);
  return path;
};

const accepts = async (): Promise<void> => {
  const socket = connect(443, HOST_ADDRESS);
  try {
    await once(socket, "connect");
  } finally {
    socket.destroy();
  }
};

/** Runs a program on port 443 until the test is finished. */
const onPort443 = async (...command: readonly string[]): Promise<void> => {
  const [program, ...args] = tiedToUs("KILL", command);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`${program} has ended: ${said}`);
    await accepts();
  });
};

/** The page comes from the port, and its call goes through it. */
const callFromPage = async (): Promise<unknown> => {
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  const response = await page.goto(`https://${HOST_ADDRESS}/`);
  expect(await response?.text()).toContain("<title>the site</title>");
  await page.addScriptTag({ path: fileURLToPath(new URL("call.page.js", import.meta.url)) });
  return page.evaluate(`call(${JSON.stringify(`turns:${HOST_ADDRESS}:443?transport=tcp`)})`);
};

const atLeast = (least: number): unknown => expect.toSatisfy((value: number) => value >= least);
const goodCall = {
  echoed: ["echo one", "echo two", "echo three"],
  audioPackets: atLeast(100),
  videoFrames: atLeast(20),
  localCandidate: "relay",
  relayProtocol: "tls",
};

/** The common name of the certificate that a client gets which offers these protocols, in this order. */
const served = async (...ALPNProtocols: string[]): Promise<string> => {
  const socket = connectTls({ port: 443, host: HOST_ADDRESS, ALPNProtocols, rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect");
    return String(socket.getPeerCertificate().subject.CN);
  } finally {
    socket.destroy();
  }
};

const expectRealAddresses = (): void => {
  // What is in front of us and of the site connects from 127.0.0.1: this is the address of the browser.
  const real = expect.stringMatching(`^${HOST_ADDRESS}:`);
  expect(dataplane.facts).toContainEqual(
    expect.objectContaining({
      type: "allocation.opened",
      data: expect.objectContaining({ listener: "media/gateway/tls", client: real }),
    }),
  );
  expect(site.clients).toContainEqual(real);
};

const startBehind = async (): Promise<void> => {
  site = await startWebSite("<!doctype html><title>the site</title>", {
    certificate: siteCertificate,
    port: SITE_PORT,
  });
  dataplane = await startTestDataplane(
    {
      certificate: turnCertificate,
      endpoints: ["127.0.0.1", HOST_ADDRESS],
      listeners: { tls: { port: TURN_PORT } },
    },
    { relay: { proxyProtocol: true } },
  );
};

describe("a web site and TURN on port 443", () => {
  it("behind a listener of Turnpike", async () => {
    site = await startWebSite("<!doctype html><title>the site</title>", {
      certificate: siteCertificate,
      port: SITE_PORT,
    });
    dataplane = await startTestDataplane({
      address: HOST_ADDRESS,
      certificate: turnCertificate,
      endpoints: ["127.0.0.1", HOST_ADDRESS],
      listeners: { tls: { port: 443, http_backend: `127.0.0.1:${SITE_PORT}` } },
    });
    expect(await callFromPage()).toMatchObject(goodCall);
    expectRealAddresses();
  });

  it("behind nginx", async () => {
    await startBehind();
    const process = `daemon off; pid ${join(folder, "nginx.pid")}; error_log stderr;`;
    await onPort443("/usr/sbin/nginx", "-c", configurationOf("nginx"), "-g", process);
    expect(await callFromPage()).toMatchObject(goodCall);
    expectRealAddresses();
  });

  it("behind HAProxy", async () => {
    await startBehind();
    await onPort443("/usr/sbin/haproxy", "-db", "-f", configurationOf("haproxy"));
    expect(await callFromPage()).toMatchObject(goodCall);
    expectRealAddresses();
  });

  it("behind Envoy", async () => {
    await startBehind();
    await onPort443(envoyProgram, "--disable-hot-restart", "-c", configurationOf("envoy", "yaml"));
    expect(await callFromPage()).toMatchObject(goodCall);
    expectRealAddresses();
    expect(await served("stun.turn", "http/1.1")).toBe("turn.example.org");
    expect(await served("http/1.1")).toBe("www.example.org");
  });
});
