/** STUNner's ICE tester: it accepts WHIP offers (RFC 9725) and echoes messages of the data channel. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { messageOf, TurnpikeError } from "../errors.ts";
import { serveHttp } from "../http.ts";
import { gathered, loadWebRtc, newPeer, type RTCPeerConnection } from "./peer.ts";
import { changedBy, shownSettings, type TesterSettings } from "./settings.ts";

export interface WhipServerOptions {
  /** If absent, every address of both families. */
  readonly host?: string | undefined;
  readonly port: number;
  readonly settings: TesterSettings;
  readonly report?: (event: {
    readonly event: "opened" | "closed" | "failed";
    readonly id?: string;
    readonly reason?: string;
  }) => void;
}

export interface WhipServer {
  readonly port: number;
  /** Open connections, and those being opened. */
  readonly connections: number;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 256 * 1024;
const MOST_MESSAGE_BYTES = 100;
const MOST_CONNECTIONS = 1000;

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

/** FNV-1a of 32 bits, from which STUNner's tester derives the name of a connection. */
export const fnv1a = (text: string): number => {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
};

/** @throws TurnpikeError `usage` if it is too long. */
const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new TurnpikeError("usage", "the body is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
};

const isOfType = ({ headers }: IncomingMessage, type: string): boolean =>
  headers["content-type"]?.split(";")[0]?.trim().toLowerCase() === type;

/** @throws TurnpikeError `package-missing`; the error of `listen` if the address cannot be bound. */
export const startWhipServer = async (options: WhipServerOptions): Promise<WhipServer> => {
  await loadWebRtc();
  const { report = () => undefined } = options;
  let { settings } = options;
  const peers = new Map<string, RTCPeerConnection>();

  const send = (
    response: ServerResponse,
    status: number,
    body = "",
    headers: Readonly<Record<string, string>> = {},
  ): void => {
    response.writeHead(status, {
      "content-type": "text/plain; charset=utf-8",
      "x-content-type-options": "nosniff",
      ...headers,
    });
    response.end(body);
  };

  const mayAsk = ({ headers }: IncomingMessage): boolean =>
    settings.bearerToken === "" ||
    timingSafeEqual(sha256(headers.authorization ?? ""), sha256(`Bearer ${settings.bearerToken}`));

  const end = (id: string): boolean => {
    const peer = peers.get(id);
    peers.delete(id);
    if (peer === undefined) return false;
    void peer.close();
    report({ event: "closed", id });
    return true;
  };

  const echo = (peer: RTCPeerConnection): void => {
    peer.onDataChannel.subscribe((channel) => {
      channel.onMessage.subscribe((message) => {
        if (message.length <= MOST_MESSAGE_BYTES) channel.send(message);
      });
    });
  };

  const accept = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!mayAsk(request)) return send(response, 401, "the bearer token is missing or wrong");
    if (!isOfType(request, "application/sdp")) return send(response, 400, "expected Content-Type: application/sdp");
    if (peers.size >= MOST_CONNECTIONS) return send(response, 503, "there are too many connections");
    const offer = await bodyOf(request);
    // Without one there are no candidates to gather and to wait for.
    if (!/^m=application /m.test(offer)) return send(response, 400, "the offer has no data channel");
    const peer = await newPeer(settings);
    try {
      echo(peer);
      await peer.setRemoteDescription({ type: "offer", sdp: offer });
      await peer.setLocalDescription(await peer.createAnswer());
      const answer = await gathered(peer);
      const id = String(fnv1a(answer));
      peers.set(id, peer);
      peer.connectionStateChange.subscribe((state) => {
        if (state === "connected") report({ event: "opened", id });
        else if (state === "failed" || state === "closed" || state === "disconnected") end(id);
      });
      return send(response, 201, answer, { "content-type": "application/sdp", location: `/${id}` });
    } catch (error) {
      void peer.close();
      const reason = messageOf(error);
      report({ event: "failed", reason });
      return send(response, 400, `the offer cannot be taken: ${reason}`);
    }
  };

  const configure = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== "GET" && request.method !== "POST") return send(response, 405, "GET or POST");
    if (!isOfType(request, "application/json")) return send(response, 400, "expected Content-Type: application/json");
    if (request.method === "POST") {
      let document: unknown;
      try {
        document = JSON.parse(await bodyOf(request));
      } catch {
        return send(response, 400, "the body is not JSON");
      }
      settings = changedBy(settings, document);
    }
    return send(response, 200, `${JSON.stringify(shownSettings(settings))}\n`, { "content-type": "application/json" });
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? "/").split("?")[0]?.replace(/(?<=.)\/+$/, "") ?? "/";
    const { whipEndpoint } = settings;
    if (path === "/config") return configure(request, response);
    if (path === whipEndpoint)
      return request.method === "POST" ? accept(request, response) : send(response, 405, "POST an offer");
    const beside = whipEndpoint === "/" ? "/" : `${whipEndpoint}/`;
    if (request.method === "DELETE" && path.startsWith(beside))
      return end(path.slice(beside.length)) ? send(response, 200) : send(response, 404, "there is no such connection");
    return send(response, 404, "not found");
  };

  const endpoint = await serveHttp(
    options.host,
    options.port,
    (request, response) =>
      serve(request, response).catch((error: unknown) => {
        if (!(error instanceof TurnpikeError)) throw error;
        send(response, 400, error.message);
      }),
    { requestTimeout: 30_000 },
  );
  return {
    port: endpoint.port,
    get connections() {
      return peers.size;
    },
    async close() {
      for (const id of peers.keys()) end(id);
      await endpoint.close();
    },
  };
};
