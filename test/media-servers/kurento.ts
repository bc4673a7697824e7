/** GStreamer's webrtcbin with libnice, what Kurento is made of, in its place; a browser calls it without a library. */
import { debianImage } from "./images.ts";
import type { MediaServer } from "./media-server.ts";
import { offerCall, offerScripts, programText } from "./offer.ts";

const TRIPLET = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;

const inFolder = (folder: string, names: readonly string[]): readonly string[] =>
  names.map((name) => `usr/lib/${TRIPLET}/${folder}/${name}`);

const plugins = (...names: readonly string[]): readonly string[] =>
  inFolder(
    "gstreamer-1.0",
    names.map((name) => `libgst${name}.so`),
  );

export const kurento: MediaServer = {
  title: "GStreamer 1.22 of Debian 12, webrtcbin with libnice, as Kurento",
  guide: "kurento",
  namespace: "kurento",
  name: "kurento",
  gateway: "turn",
  signallingPort: 8888,
  mediaPort: 40_000,
  drains: true,
  scripts: offerScripts,
  images: async () => [
    await debianImage("kurento/kurento-media-server:7.1.0", {
      packages: [
        "python3-gi",
        "gir1.2-gst-plugins-base-1.0",
        "gstreamer1.0-plugins-base",
        "gstreamer1.0-nice",
        "libgstreamer-plugins-bad1.0-0",
        "libsrtp2-1",
        "libvpx7",
      ],
      parts: {
        "gstreamer1.0-plugins-good": plugins("rtp", "rtpmanager", "vpx"),
        "gstreamer1.0-plugins-bad": plugins("webrtc", "dtls", "srtp", "sctp"),
        "gir1.2-gst-plugins-bad-1.0": inFolder("girepository-1.0", ["GstWebRTC-1.0.typelib"]),
      },
      without: ["usr/lib/*/perl*", "usr/lib/*/dri", "usr/lib/*/libLLVM*", "usr/lib/*/gconv", "usr/lib/*/systemd"],
      config: { Entrypoint: ["/usr/bin/python3", "/pipeline.py"], Env: ["HOME=/tmp"] },
      files: { "pipeline.py": programText("pipeline.py") },
    }),
  ],
  configuration: () => [],
  join: (page, signalling, gateway) => offerCall(page, `http://${signalling}:8888`, gateway),
};
