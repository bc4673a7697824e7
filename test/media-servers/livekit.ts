/** LiveKit: its own client, two participants of one page in a room. */
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { readGuide } from "./guide.ts";
import { goImage, versionOf } from "./images.ts";
import { clientOf, type MediaServer } from "./media-server.ts";

const MODULE = "github.com/livekit/livekit-server";
const version = versionOf(MODULE);
const guide = readGuide("livekit");
const configuration = guide.file("livekit.yaml");

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
  configuration: (gateway) => [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "livekit", namespace: "livekit" },
      data: { "livekit.yaml": configuration.replace("turn.example.org", gateway) },
    },
  ],
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
