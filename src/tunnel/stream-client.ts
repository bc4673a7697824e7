/**
 * One program with a stream, and its path to the peer: over TCP the bytes unchanged, over UDP every chunk as a datagram.
 */
import type { Duplex } from "node:stream";
import { openTcpPath } from "./tcp-path.ts";
import { openUdpPath } from "./udp-path.ts";
import type { TunnelOptions } from "./tunnel.ts";

export interface StreamOptions extends TunnelOptions {
  readonly peers: "udp" | "tcp";
  /** How long to keep receiving after the program closes its input. */
  readonly lingerMs: number;
}

/** Maximum length in bytes of a datagram; longer chunks of a stream are split. */
const DATAGRAM_BYTES = 1500;
const MOST_UNREAD_BYTES = 4 << 20;

/** Resolves when both have ended; the stream is destroyed then. @throws why there is no connection. */
export const serveStream = async (stream: Duplex, options: StreamOptions, opened: () => void): Promise<void> =>
  options.peers === "tcp" ? serveTcp(stream, options, opened) : serveUdp(stream, options, opened);

const serveTcp = async (stream: Duplex, options: StreamOptions, opened: () => void): Promise<void> => {
  const path = await openTcpPath(options, (reason) => void stream.destroy(new Error(reason)));
  try {
    const peer = await path.connect();
    opened();
    const over = Promise.all([closed(stream), closed(peer)]);
    stream.on("error", () => peer.destroy());
    peer.on("error", () => stream.destroy());
    stream.once("close", () => peer.destroySoon());
    peer.once("close", () => void (stream.writableEnded || stream.end()));
    stream.pipe(peer, { end: false });
    peer.pipe(stream);
    // A server ends the peer's connection with ours: there are no half-closed ones (RFC 6062 §5.4). So this waits until the
    // peer is quiet.
    stream.once("end", () => whenQuiet(peer, options.lingerMs, () => peer.end()));
    await over;
  } finally {
    stream.destroy();
    await path.close();
  }
};

const closed = (stream: Duplex): Promise<void> =>
  new Promise((resolve) => {
    if (stream.closed) resolve();
    else stream.once("close", () => resolve());
  });

/** Calls `then` when nothing has arrived for `lingerMs`, or nothing more can arrive. */
const whenQuiet = (stream: Duplex, lingerMs: number, then: () => void): void => {
  let timer = setTimeout(then, lingerMs);
  stream.on("data", () => {
    clearTimeout(timer);
    timer = setTimeout(then, lingerMs);
  });
  stream.once("close", () => clearTimeout(timer));
};

const serveUdp = async (stream: Duplex, options: StreamOptions, opened: () => void): Promise<void> => {
  let heardAt = performance.now();
  const path = await openUdpPath(options, {
    data(bytes) {
      heardAt = performance.now();
      // A program that does not read loses datagrams, as it would without the tunnel.
      if (!stream.destroyed && stream.writableLength < MOST_UNREAD_BYTES) stream.write(bytes);
    },
    lost: (reason) => void stream.destroy(new Error(reason)),
  });
  opened();
  try {
    let failure: Error | undefined;
    stream.on("error", (error) => (failure = error));
    stream.on("data", (chunk: Buffer) => {
      for (let from = 0; from < chunk.length; from += DATAGRAM_BYTES)
        path.send(chunk.subarray(from, from + DATAGRAM_BYTES));
    });
    stream.resume();
    await new Promise<void>((resolve) => {
      if (stream.closed) resolve();
      stream.once("close", resolve);
      stream.once("end", () => {
        heardAt = performance.now();
        const look = setInterval(() => {
          if (performance.now() - heardAt < options.lingerMs && !stream.destroyed) return;
          clearInterval(look);
          resolve();
        }, options.lingerMs / 10);
      });
    });
    if (failure !== undefined) throw failure;
  } finally {
    stream.destroy();
    await path.close();
  }
};
