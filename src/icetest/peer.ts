/** A WebRTC peer with just a data channel, based on `werift`, which is loaded only when needed. */
import type { RTCDataChannel, RTCPeerConnection } from "werift";
import { TurnpikeError } from "../errors.ts";
import type { TesterSettings } from "./settings.ts";

export type { RTCDataChannel, RTCPeerConnection };

export type PeerSettings = Pick<TesterSettings, "iceServers" | "iceTransportPolicy">;

/** @throws TurnpikeError `package-missing`. */
export const loadWebRtc = async (): Promise<typeof import("werift")> => {
  try {
    return await import("werift");
  } catch (error) {
    throw new TurnpikeError("package-missing", "WebRTC is not installed: npm install werift", { cause: error });
  }
};

/** @throws TurnpikeError `package-missing`. */
export const newPeer = async ({ iceServers, iceTransportPolicy }: PeerSettings): Promise<RTCPeerConnection> => {
  const { RTCPeerConnection } = await loadWebRtc();
  return new RTCPeerConnection({
    iceServers: iceServers.map(({ urls, ...credentials }) => ({ urls: [...urls], ...credentials })),
    iceTransportPolicy,
  });
};

/** The peer's own description, once it contains all candidates: WHIP is one request and one answer. */
export const gathered = async (peer: RTCPeerConnection): Promise<string> => {
  if (peer.iceGatheringState !== "complete")
    await new Promise<void>((resolve) => {
      peer.iceGatheringStateChange.subscribe((state) => {
        if (state === "complete") resolve();
      });
    });
  return peer.localDescription?.sdp ?? "";
};
