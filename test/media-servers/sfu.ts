/** An SFU on pion/webrtc, in the place of a server on mediasoup: ICE Lite, one port of the pod's address. */
import { goImage, versionOf } from "./images.ts";
import type { MediaServer } from "./media-server.ts";
import { offerCall, offerScripts } from "./offer.ts";

export const sfu: MediaServer = {
  title: `an SFU on pion/webrtc ${versionOf("github.com/pion/webrtc/v4")}, ICE Lite, as mediasoup`,
  guide: "mediasoup",
  namespace: "mediasoup",
  name: "mediasoup",
  signallingPort: 4443,
  mediaPort: 40_000,
  drains: true,
  scripts: offerScripts,
  images: async () => [await goImage("registry.example.org/mediasoup-server:1", "sfu", "sfu")],
  configuration: () => [],
  async join(page, signalling, gateway) {
    // Two participants: what one sends, the other gets.
    for (let participant = 0; participant < 2; participant += 1)
      await offerCall(page, `http://${signalling}:4443`, gateway);
  },
};
