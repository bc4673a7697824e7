/** Janus: its own client, echoed by the plugin for that. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { readGuide } from "./guide.ts";
import { debianImage } from "./images.ts";
import { clientOf, type MediaServer } from "./media-server.ts";

const require = createRequire(import.meta.url);
const library = require.resolve("janus-gateway");
/** It is a module; the page takes scripts. */
const client = readFileSync(library, "utf8").replace(/^export \{.*$/m, "");
const adapter = readFileSync(createRequire(library).resolve("webrtc-adapter/out/adapter.js"), "utf8");

interface Handle {
  createOffer(options: object): void;
  handleRemoteJsep(options: object): void;
  send(options: object): void;
}

interface Client {
  new (options: object): { attach(options: object): void };
  init(options: object): void;
  useDefaultDependencies(): object;
}

export const janus: MediaServer = {
  title: `Janus 1.1.2 of Debian 12, ${clientOf("janus-gateway")}`,
  guide: "janus",
  namespace: "janus",
  name: "janus",
  gateway: "turn",
  signallingPort: 8188,
  mediaPort: 20_000,
  drains: false,
  scripts: [adapter, client],
  images: async () => [
    await debianImage("registry.example.org/janus:1", {
      packages: ["janus"],
      config: { Entrypoint: ["/usr/bin/janus"] },
    }),
  ],
  configuration: () => [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "janus", namespace: "janus" },
      data: { "janus.jcfg": readGuide("janus").file("janus.jcfg") },
    },
  ],
  join: (page, signalling, gateway) =>
    page.run(
      (server, urls) =>
        new Promise<void>((resolve, reject) => {
          const { Janus } = globalThis as unknown as { readonly Janus: Client };
          const tracks = ["audio", "video"].map((type) => ({ type, capture: true, recv: true }));
          const message = { audio: true, video: true };
          const attach = (session: { attach(options: object): void }): void => {
            let handle: Handle;
            session.attach({
              plugin: "janus.plugin.echotest",
              success(attached: Handle) {
                handle = attached;
                const offered = (jsep: object): void => handle.send({ message, jsep });
                handle.createOffer({ tracks, success: offered, error: reject });
              },
              onmessage(_: object, jsep?: object) {
                if (jsep === undefined) return;
                handle.handleRemoteJsep({ jsep, success: resolve, error: reject });
              },
              error: reject,
            });
          };
          const iceServers = [{ urls, username: "user-1", credential: "pass-1" }];
          const start = (): void => {
            const session = new Janus({
              server,
              iceServers,
              iceTransportPolicy: "relay",
              success: () => attach(session),
              error: reject,
            });
          };
          Janus.init({ dependencies: Janus.useDefaultDependencies(), callback: start });
        }),
      `ws://${signalling}:8188`,
      `turn:${gateway}:3478`,
    ),
};
