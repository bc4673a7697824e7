/** A voice agent on aiortc, echoing; a browser calls it without a library. */
import { readFileSync } from "node:fs";
import { AIORTC } from "../interop/python.ts";
import { debianImage } from "./images.ts";
import type { MediaServer } from "./media-server.ts";

const program = (name: string): string => readFileSync(new URL(`programs/${name}`, import.meta.url), "utf8");

export const voiceAgent: MediaServer = {
  title: `a voice agent on aiortc ${AIORTC}`,
  guide: "voice-agents",
  namespace: "voice",
  name: "agent",
  signallingPort: 7860,
  // Of the route: none, so each will do.
  mediaPort: 40_000,
  drains: true,
  scripts: [program("voice-caller.js")],
  images: async () => [
    await debianImage("registry.example.org/voice-agent:1.0.0", {
      packages: ["python3", "libstdc++6"],
      python: [`aiortc==${AIORTC}`],
      config: { Entrypoint: ["/usr/bin/python3", "/agent.py"] },
      files: { "agent.py": program("agent.py") },
    }),
  ],
  configuration: () => [],
  join: (page, signalling, gateway) =>
    page.run(
      (server, urls) => {
        const { callAgent } = globalThis as unknown as { callAgent(server: string, urls: string): Promise<void> };
        return callAgent(server, urls);
      },
      `http://${signalling}:7860`,
      `turn:${gateway}:3478`,
    ),
};
