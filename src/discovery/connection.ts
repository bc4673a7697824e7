/** One connection of a watching client: it sends pings, and detects a dead connection. */
import { WebSocket } from "ws";
import { closeGrace } from "./close-grace.ts";
import type { Address } from "./origin.ts";
import { KEEPALIVE } from "./protocol.ts";

export interface KeepaliveTiming {
  readonly pingMs: number;
  /** A connection on which nothing arrives for this long is closed. */
  readonly livenessMs: number;
}

export interface ConnectionOptions {
  readonly address: Address;
  readonly ca?: string | undefined;
  readonly timing: KeepaliveTiming;
  readonly opened: () => void;
  readonly document: (text: string) => void;
  /** Called once, unless this side closes the connection. */
  readonly lost: (reason: string) => void;
}

const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024;
const CLOSE_GRACE_MS = 1000;
const MAX_REASON_CHARACTERS = 200;

/** Returns a function that closes it. */
export const openConnection = ({ address, ca, timing, opened, document, lost }: ConnectionOptions): (() => void) => {
  let reason: string | undefined;
  let pinging: NodeJS.Timeout | undefined;
  let isClosedHere = false;
  const socket = new WebSocket(`${address.secure ? "wss" : "ws"}://${address.host}${address.path}`, {
    headers: address.headers,
    handshakeTimeout: timing.livenessMs,
    maxPayload: MAX_DOCUMENT_BYTES,
    perMessageDeflate: false,
    ...closeGrace(CLOSE_GRACE_MS),
    ...(ca === undefined ? {} : { ca }),
  });
  const giveUp = (why: string): void => {
    reason ??= why;
    socket.terminate();
  };
  const liveness = setTimeout(() => giveUp(`nothing heard for ${timing.livenessMs} ms`), timing.livenessMs);
  const alive = (): void => void liveness.refresh();

  socket.on("open", () => {
    alive();
    pinging = setInterval(() => socket.ping(KEEPALIVE, true, () => undefined), timing.pingMs);
    opened();
  });
  socket.on("pong", alive);
  socket.on("ping", alive);
  socket.on("message", (data: Buffer, isBinary) => {
    alive();
    if (isClosedHere) return;
    if (isBinary) giveUp("the server sent a binary frame");
    else document(data.toString("utf8"));
  });
  socket.on("unexpected-response", (_, response) => {
    reason ??= `${response.statusCode ?? "?"} ${(response.statusMessage ?? "").slice(0, MAX_REASON_CHARACTERS)}`.trim();
    response.destroy();
    socket.terminate();
  });
  socket.on("error", (error) => {
    reason ??= error.message || error.name;
  });
  socket.on("close", (code, text) => {
    clearTimeout(liveness);
    clearInterval(pinging);
    const named = text.toString("utf8");
    if (!isClosedHere) lost(reason ?? (named === "" ? `the server closed the connection (${code})` : named));
  });

  return () => {
    isClosedHere = true;
    clearTimeout(liveness);
    clearInterval(pinging);
    if (socket.readyState === WebSocket.CONNECTING) socket.terminate();
    else socket.close();
  };
};
