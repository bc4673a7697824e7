/** mediasoup's own client, two participants of one page, with an SFU on pion/webrtc in the place of the server. */
import { rolldown } from "rolldown";
import { goImage, versionOf } from "./images.ts";
import { clientOf, type MediaServer } from "./media-server.ts";

/** The package is of modules; the page takes scripts. */
const bundle = await rolldown({ input: "mediasoup-client", platform: "browser", cwd: import.meta.dirname });
const { output } = await bundle.generate({ format: "iife", name: "mediasoupClient" });

/** What `mediasoup-client` has, as far as it is called. */
interface Parameters {
  readonly id: string;
}

type Done = (result?: Parameters) => void;
type Failed = (error: unknown) => void;

interface Transport {
  readonly id: string;
  on(event: string, listener: (parameters: never, done: Done, failed: Failed) => void): void;
  produce(options: { readonly track: unknown }): Promise<Parameters>;
  consume(options: Parameters): Promise<{ readonly track: unknown }>;
}

interface Device {
  load(options: { readonly routerRtpCapabilities: object }): Promise<void>;
  createSendTransport(options: object): Transport;
  createRecvTransport(options: object): Transport;
}

interface PageOfMediasoup {
  readonly mediasoupClient: { readonly Device: new () => Device };
  readonly peerConnections: readonly { readonly localDescription: { readonly sdp: string } }[];
  readonly navigator: { readonly mediaDevices: { getUserMedia(of: object): Promise<{ getTracks(): unknown[] }> } };
  readonly document: { createElement(name: "video"): { srcObject: unknown; play(): Promise<void> } };
  readonly MediaStream: new (tracks: readonly unknown[]) => unknown;
}

export const mediasoup: MediaServer = {
  title: `${clientOf("mediasoup-client")}, to an SFU on pion/webrtc ${versionOf("github.com/pion/webrtc/v4")}, ICE Lite`,
  guide: "mediasoup",
  namespace: "mediasoup",
  name: "mediasoup",
  gateway: "turn",
  signallingPort: 4443,
  mediaPort: 40_000,
  drains: true,
  scripts: [output[0].code],
  images: async () => [await goImage("registry.example.org/mediasoup-server:1", "sfu", "sfu")],
  configuration: () => [],
  join: (page, signalling, gateway) =>
    page.run(
      async (server, urls) => {
        const { mediasoupClient, peerConnections, navigator, document, MediaStream } =
          globalThis as unknown as PageOfMediasoup;
        const ask = async <Answer>(path: string, body: object = {}): Promise<Answer> => {
          const response = await fetch(`${server}/${path}`, { method: "POST", body: JSON.stringify(body) });
          if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
          return (await response.json()) as Answer;
        };
        const device = new mediasoupClient.Device();
        await device.load({ routerRtpCapabilities: await ask("capabilities") });
        const iceServers = [{ urls, username: "user-1", credential: "pass-1" }];

        /** The server needs the client's ICE parameters too, which are known when there is a local description. */
        const open = async (direction: "createSendTransport" | "createRecvTransport") => {
          const parameters = await ask<Parameters>("transport");
          const transport = device[direction]({ ...parameters, iceServers, iceTransportPolicy: "relay" });
          const connection = peerConnections.at(-1);
          let dtlsParameters: unknown;
          transport.on("connect", (offered: { readonly dtlsParameters: unknown }, done) => {
            ({ dtlsParameters } = offered);
            done();
          });
          const connect = async (): Promise<void> => {
            if (dtlsParameters === undefined) return;
            const sdp = connection?.localDescription.sdp ?? "";
            const valueOf = (name: string): string | undefined => new RegExp(`^a=${name}:(\\S+)`, "m").exec(sdp)?.[1];
            const iceParameters = { usernameFragment: valueOf("ice-ufrag"), password: valueOf("ice-pwd") };
            await ask("connect", { transport: transport.id, iceParameters, dtlsParameters });
            dtlsParameters = undefined;
          };
          return { transport, connect };
        };

        const participate = async (): Promise<readonly Parameters[]> => {
          const { transport, connect } = await open("createSendTransport");
          const produce = async (wanted: object, done: Done, failed: Failed): Promise<void> => {
            try {
              await connect();
              done(await ask<Parameters>("produce", { ...wanted, transport: transport.id }));
            } catch (error) {
              failed(error);
            }
          };
          transport.on("produce", (wanted: object, done, failed) => void produce(wanted, done, failed));
          const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 180 } });
          const producers: Parameters[] = [];
          for (const track of media.getTracks()) producers.push(await transport.produce({ track }));
          return producers;
        };
        const participants = [await participate(), await participate()];
        // What one sends, the other gets.
        for (const producers of participants) {
          const { transport, connect } = await open("createRecvTransport");
          for (const producer of producers) {
            const wanted = { transport: transport.id, producer: producer.id };
            const { track } = await transport.consume(await ask<Parameters>("consume", wanted));
            await connect();
            const video = document.createElement("video");
            video.srcObject = new MediaStream([track]);
            void video.play();
          }
        }
      },
      `http://${signalling}:4443`,
      `turn:${gateway}:3478`,
    ),
};
