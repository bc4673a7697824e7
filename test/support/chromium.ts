/** Chromium as calls need it: on loopback, with a camera and a microphone that are not there. */
import { createHash, X509Certificate } from "node:crypto";
import { chromium, type Browser } from "playwright-core";
import { unchangingNetwork } from "./browser.ts";

const pinOf = (certificate: string): string =>
  createHash("sha256")
    .update(new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" }))
    .digest("base64");

/** @param certificates PEM, of servers that it is to accept although no authority vouches for them. */
export const launchChromium = (certificates: readonly string[]): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    env: { ...process.env, ...unchangingNetwork() },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--allow-loopback-in-peer-connection",
      "--disable-features=WebRtcHideLocalIpsWithMdns",
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
      "--autoplay-policy=no-user-gesture-required",
      `--ignore-certificate-errors-spki-list=${certificates.map(pinOf).join()}`,
    ],
  });
