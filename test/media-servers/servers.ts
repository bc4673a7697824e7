/** The media servers that tests run. */
import { janus } from "./janus.ts";
import { jitsi } from "./jitsi.ts";
import { kurento } from "./kurento.ts";
import { livekit } from "./livekit.ts";
import type { MediaServer } from "./media-server.ts";
import { mediasoup } from "./mediasoup.ts";
import { voiceAgent } from "./voice-agent.ts";

export const servers: readonly MediaServer[] = [livekit, voiceAgent, janus, mediasoup, kurento];

/** Archives of their images, which are made once. @throws MissingTool */
export const serverImages = async (): Promise<readonly string[]> => {
  const archives: string[] = [];
  for (const server of [...servers, jitsi]) archives.push(...(await server.images()));
  return archives;
};
