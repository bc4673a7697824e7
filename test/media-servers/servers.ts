/** The media servers that tests run. */
import { janus } from "./janus.ts";
import { livekit } from "./livekit.ts";
import type { MediaServer } from "./media-server.ts";
import { sfu } from "./sfu.ts";
import { voiceAgent } from "./voice-agent.ts";

export const servers: readonly MediaServer[] = [livekit, voiceAgent, janus, sfu];

/** Archives of their images, which are made once. @throws MissingTool */
export const serverImages = async (): Promise<readonly string[]> => {
  const archives: string[] = [];
  for (const server of servers) archives.push(...(await server.images()));
  return archives;
};
