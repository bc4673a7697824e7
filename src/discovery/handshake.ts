/** Whether a request may be upgraded to a WebSocket (RFC 6455 §4.2.1), and the answer if it may not. */
import type { IncomingMessage } from "node:http";

export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const names = (header: string | undefined, token: string): boolean =>
  (header ?? "").split(",").some((part) => part.trim().toLowerCase() === token);

/** Browsers send the origin of the page that opened a WebSocket: only pages of this host may read configs. */
const isOfSameHost = (origin: string, host: string | undefined): boolean => {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#]*@)?([^/?#]*)/i.exec(origin)?.[1];
  return authority !== undefined && authority.toLowerCase() === host?.toLowerCase();
};

/** Why `request` cannot be upgraded; undefined if it can. The key is checked where it is used. */
export const refusalOf = ({ headers }: IncomingMessage): Refusal | undefined => {
  if (!names(headers.connection, "upgrade"))
    return { status: 400, message: "a watch is a WebSocket: 'Connection: upgrade' is missing" };
  if (!names(headers.upgrade, "websocket"))
    return {
      status: 426,
      message: "a watch is a WebSocket: 'Upgrade: websocket' is missing",
      headers: { upgrade: "websocket" },
    };
  if (headers["sec-websocket-version"] !== "13")
    return {
      status: 400,
      message: "only version 13 of WebSocket is spoken here",
      headers: { "sec-websocket-version": "13" },
    };
  if (headers.origin !== undefined && !isOfSameHost(headers.origin, headers.host))
    return { status: 403, message: "the Origin is not the Host" };
  return undefined;
};
