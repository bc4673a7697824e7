/**
 * Connections that are not TURN, passed on to the listener's HTTP backend as they are: nothing of them is read or changed
 * (except for the PROXY header before them). Each side reads as fast as the other one does, and may end on its own.
 */
import { connect, type Socket } from "node:net";
import type { DropCode } from "../../reasons.ts";
import type { Limits } from "../limits.ts";
import { httpConnectMilliseconds } from "../limits.ts";
import type { HttpBackend } from "./http-backend.ts";
import { proxyHeaderOf, type ProxyAddresses } from "./proxy-header.ts";

export interface SpliceOwner {
  readonly limits: Limits;
  /** Of new connections. Undefined if the listener has none any longer. */
  readonly backend: HttpBackend | undefined;
  dropped(reason: DropCode): void;
  /** The backend accepted no connection. */
  backendFailed(backend: HttpBackend, reason: string): void;
}

export class Splices {
  readonly #owner: SpliceOwner;
  readonly #open = new Set<Socket>();
  /** Connections that the backend has accepted, since the listener started. */
  total = 0;

  constructor(owner: SpliceOwner) {
    this.#owner = owner;
  }

  get open(): number {
    return this.#open.size;
  }

  /** Takes a paused connection of a client that begins with all that the client has sent. */
  take(client: Socket, addresses: ProxyAddresses): void {
    const { backend, limits, dropped } = this.#owner;
    if (backend === undefined || this.#open.size >= limits.maxHttpConnections) {
      if (backend !== undefined) dropped("http-connections");
      client.destroy();
      return;
    }
    const { host, port, proxyProtocol } = backend;
    // Until it is connected, the client waits.
    const server = connect({ host, port, allowHalfOpen: true, noDelay: true });
    client.allowHalfOpen = true;
    let failure = "it closed the connection";
    let isConnected = false;
    const timer = setTimeout(() => {
      server.destroy(new Error(`no answer in ${httpConnectMilliseconds} ms`));
    }, httpConnectMilliseconds);

    // If a name has several addresses, the error of all of them has no message.
    server.on("error", (error: NodeJS.ErrnoException) => (failure = error.message || (error.code ?? error.name)));
    client.on("error", () => undefined);
    server.once("connect", () => {
      clearTimeout(timer);
      isConnected = true;
      this.total += 1;
      server.write(proxyHeaderOf(proxyProtocol, addresses));
      client.pipe(server).pipe(client);
      for (const socket of [client, server])
        socket.setTimeout(limits.idleHttpMilliseconds, () => {
          if (this.#open.delete(client)) dropped("http-idle");
          client.destroy();
          server.destroy();
        });
    });
    // What was received is still sent, unless a side has reset its connection; one that does not read it is idle.
    server.once("close", (hadError) => {
      clearTimeout(timer);
      if (isConnected) return hadError ? client.resetAndDestroy() : client.destroySoon();
      if (this.#open.has(client)) this.#owner.backendFailed(backend, failure);
      return client.destroy();
    });
    client.once("close", (hadError) => {
      this.#open.delete(client);
      if (hadError) server.resetAndDestroy();
      else server.destroySoon();
    });
    this.#open.add(client);
  }

  /** Closes all of them. */
  close(): void {
    for (const client of this.#open) {
      this.#open.delete(client);
      client.destroy();
    }
  }
}
