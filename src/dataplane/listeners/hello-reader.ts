/** Reads the ClientHello of a new TLS connection, and gives everything back: the handshake begins after it. */
import type { Socket } from "node:net";
import { maxClientHelloBytes, noHello, readClientHello, type ClientHello } from "./client-hello.ts";

export interface HelloOptions {
  readonly limitMilliseconds: number;
  /** The socket is paused, and begins with the ClientHello. */
  readonly read: (hello: ClientHello) => void;
  /** It did not arrive in time, or the client has closed the connection. */
  readonly failed: () => void;
}

export const readHello = (socket: Socket, { limitMilliseconds, read, failed }: HelloOptions): void => {
  const chunks: Buffer[] = [];
  let length = 0;
  let needed = 1;
  const end = (): void => {
    clearTimeout(timer);
    socket.off("data", data).off("end", fail).off("close", fail);
  };
  const fail = (): void => {
    end();
    failed();
  };
  const data = (chunk: Buffer): void => {
    chunks.push(chunk);
    length += chunk.length;
    if (length < needed) return;
    const bytes = Buffer.concat(chunks);
    chunks.splice(0, chunks.length, bytes);
    const hello = readClientHello(bytes);
    if (typeof hello === "object" && "more" in hello && length < maxClientHelloBytes) {
      needed = hello.more;
      return;
    }
    end();
    socket.pause();
    socket.unshift(bytes);
    read(typeof hello === "object" && !("more" in hello) ? hello : noHello);
  };
  const timer = setTimeout(fail, limitMilliseconds).unref();
  socket.on("data", data).on("end", fail).on("close", fail);
  socket.resume();
};
