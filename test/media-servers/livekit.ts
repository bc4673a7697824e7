/** LiveKit: its own client, two participants of one page in a room. */
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { parse, stringify } from "yaml";
import type { Literal } from "../cluster/client.ts";
import { readGuide } from "./guide.ts";
import { goImage, versionOf } from "./images.ts";
import { clientOf, type MediaServer } from "./media-server.ts";

const MODULE = "github.com/livekit/livekit-server";
const version = versionOf(MODULE);
const guide = readGuide("livekit");
const configuration = guide.file("livekit.yaml: what matters");
/** The Gateway in what the guide has its reader write. */
const HOST = "turn.example.org";

/** @param identity of the participant. */
const tokenFor = (identity: string): string => {
  const [, key = "", secret = ""] = /^keys:\n {2}(\S+): (\S+)$/m.exec(configuration) ?? [];
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({
    iss: key,
    sub: identity,
    nbf: now - 60,
    exp: now + 3600,
    video: { room: "room", roomJoin: true },
  })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
};

interface Room {
  readonly localParticipant: { enableCameraAndMicrophone(): Promise<void> };
  connect(url: string, token: string, options: { readonly rtcConfig: object }): Promise<void>;
}

const configMap = (text: string): Literal => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "livekit", namespace: "livekit" },
  data: { "livekit.yaml": text },
});

/** What the guide changes for passwords that expire. @param gateway the address of the Gateway. */
export const sharedSecret = (gateway: string): readonly Literal[] => {
  const [servers, config] = ["livekit.yaml: in the place of", "GatewayConfig"].map((name) => parse(guide.file(name)));
  const whole = parse(configuration) as { readonly rtc: object };
  const given = guide.manifests.find(({ kind }) => kind === "GatewayConfig");
  if (given === undefined) throw new Error("the guide has no GatewayConfig");
  return [
    { ...given, ...(config as object) },
    configMap(stringify({ ...whole, rtc: { ...whole.rtc, ...(servers as object) } }).replace(HOST, gateway)),
  ];
};

export const livekit: MediaServer = {
  title: `LiveKit ${version}, ${clientOf("livekit-client")}`,
  guide: "livekit",
  namespace: "livekit",
  name: "livekit",
  gateway: "turn",
  signallingPort: 7880,
  mediaPort: 7882,
  drains: true,
  scripts: [readFileSync(createRequire(import.meta.url).resolve("livekit-client"), "utf8")],
  images: async () => [await goImage(`livekit/livekit-server:${version}`, `${MODULE}/cmd/server`, "livekit-server")],
  configuration: (gateway) => [configMap(configuration.replace(HOST, gateway))],
  join: (page, signalling) =>
    page.run(
      async (url, tokens) => {
        const { LivekitClient } = globalThis as unknown as {
          readonly LivekitClient: { readonly Room: new (options: object) => Room };
        };
        // Two participants who code and decode on one machine.
        const small = {
          videoCaptureDefaults: { resolution: { width: 320, height: 180, frameRate: 15 } },
          publishDefaults: { simulcast: false },
        };
        for (const token of tokens) {
          const room = new LivekitClient.Room(small);
          await room.connect(url, token, { rtcConfig: { iceTransportPolicy: "relay" } });
          await room.localParticipant.enableCameraAndMicrophone();
        }
      },
      `ws://${signalling}:7880`,
      ["one", "two"].map(tokenFor),
    ),
};
