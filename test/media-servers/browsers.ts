/**
 * Browsers outside a cluster, as a process in the network that reaches nodes only. They have a camera and a microphone that
 * are none, and pages of a server that is theirs alone: media is for pages of this machine, or of TLS.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { launch, type Browser, type Page } from "puppeteer-core";
import { follow } from "../node/process-outside.ts";
import { PATIENCE_MS } from "../support/patience.ts";

export type BrowserName = "chrome" | "firefox";

/** What a test may ask. */
export interface BrowserOrders {
  /** Resolves to its name and version. */
  launch(name: BrowserName): Promise<string>;
  /** A page with these scripts, each its text, which remembers all peer connections. Resolves to its number. */
  open(name: BrowserName, scripts: readonly string[]): Promise<number>;
  /** Calls the function of this source in a page. */
  run(page: number, source: string, args: readonly unknown[]): Promise<unknown>;
  closePage(page: number): Promise<void>;
}

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
];

const PREFERENCES = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.autoplay.default": 0,
  "media.peerconnection.ice.loopback": true,
  "network.proxy.type": 0,
};

const REMEMBER = `
  window.peerConnections = [];
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...args) {
      super(...args);
      window.peerConnections.push(this);
    }
  };
`;

const browsers = new Map<BrowserName, Browser>();
const pages = new Map<number, Page>();
let last = 0;

const server = createServer((_, response) =>
  response.setHeader("content-type", "text/html").end("<!doctype html><title>call</title>"),
).listen(0, "127.0.0.1");
await once(server, "listening");
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

const pageOf = (number: number): Page => {
  const page = pages.get(number);
  if (page === undefined) throw new Error(`no page ${number}`);
  return page;
};

const orders: BrowserOrders = {
  async launch(name) {
    const browser =
      name === "chrome"
        ? await launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", pipe: true, args: FLAGS })
        : await launch({
            browser: name,
            executablePath: process.env["FIREFOX"] ?? "/usr/bin/firefox-esr",
            extraPrefsFirefox: PREFERENCES,
          });
    browsers.set(name, browser);
    return browser.version();
  },
  async open(name, scripts) {
    const browser = browsers.get(name);
    if (browser === undefined) throw new Error(`${name} has not been launched`);
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(origin);
    await page.evaluate(REMEMBER);
    for (const content of scripts) await page.addScriptTag({ content });
    last += 1;
    pages.set(last, page);
    return last;
  },
  run: (page, source, args) => pageOf(page).evaluate(`(${source})(...${JSON.stringify(args)})`),
  async closePage(number) {
    await pageOf(number).close();
    pages.delete(number);
  },
};

follow(orders, () => Promise.all([...browsers.values()].map((browser) => browser.close())));
