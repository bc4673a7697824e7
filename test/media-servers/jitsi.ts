/** ice4j, the ICE of Jitsi's videobridge, in its place: no media, but packets of DTLS that come in. */
import { ephemeralCredentials } from "../../src/turn-client/credentials.ts";
import { javaImage } from "./images.ts";
import type { GuidedServer } from "./media-server.ts";
import { exchangeScript, programText } from "./offer.ts";
import type { CallPage } from "./page.ts";

const [, version = "?"] = /<artifactId>ice4j<.*\n\s*<version>([^<]+)/.exec(programText("bridge/pom.xml")) ?? [];

export interface BridgeState {
  /** Of ice4j's agent. */
  readonly state: string;
  /** Address of the other side of the pair in use. */
  readonly remote: string | null;
  /** Received packets that are not STUN. */
  readonly packets: number;
}

interface PageOfBridge {
  connectToBridge(server: string, iceServer: object): Promise<string>;
}

export interface Bridge extends GuidedServer {
  readonly scripts: readonly string[];
  /** Resolves to the ufrag of the page's connection once its ICE is connected. */
  connect(page: CallPage, signalling: string, gateway: string): Promise<string>;
  /** What the server says of a connection. */
  stateOf(page: CallPage, signalling: string, ufrag: string): Promise<BridgeState>;
}

export const jitsi: Bridge = {
  title: `ice4j ${version}, the ICE of Jitsi's videobridge`,
  guide: "jitsi",
  namespace: "jitsi",
  name: "jvb",
  gateway: "jitsi",
  signallingPort: 8080,
  scripts: [exchangeScript, programText("bridge/caller.js")],
  images: async () => [await javaImage("jitsi/jvb:stable-10978", "bridge", "Bridge")],
  configuration: () => [
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "jvb", namespace: "jitsi" },
      stringData: { password: "PASSWORD" },
    },
  ],
  connect(page, signalling, gateway) {
    const { username, password } = ephemeralCredentials("a-long-secret", "participant", 3600);
    return page.run(
      (server, iceServer) => (globalThis as unknown as PageOfBridge).connectToBridge(server, iceServer),
      `http://${signalling}:8080`,
      { urls: `turn:${gateway}:3478`, username, credential: password },
    );
  },
  stateOf: (page, signalling, ufrag) =>
    page.run(
      async (server, of) => (await (await fetch(`${server}/state?${encodeURIComponent(of)}`)).json()) as BridgeState,
      `http://${signalling}:8080`,
      ufrag,
    ),
};
