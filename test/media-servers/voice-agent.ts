/** A voice agent on aiortc, echoing; a browser calls it without a library. */
import { AIORTC } from "../interop/python.ts";
import { debianImage } from "./images.ts";
import type { MediaServer } from "./media-server.ts";
import { offerCall, offerScripts, programText } from "./offer.ts";

export const voiceAgent: MediaServer = {
  title: `a voice agent on aiortc ${AIORTC}`,
  guide: "voice-agents",
  namespace: "voice",
  name: "agent",
  gateway: "turn",
  signallingPort: 7860,
  // Of the route: none, so each will do.
  mediaPort: 40_000,
  drains: true,
  scripts: offerScripts,
  images: async () => [
    await debianImage("registry.example.org/voice-agent:1.0.0", {
      packages: ["python3", "libstdc++6"],
      python: [`aiortc==${AIORTC}`],
      config: { Entrypoint: ["/usr/bin/python3", "/agent.py"] },
      files: { "agent.py": programText("agent.py") },
    }),
  ],
  configuration: () => [],
  join: (page, signalling, gateway) => offerCall(page, `http://${signalling}:7860`, gateway),
};
