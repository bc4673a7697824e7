/** A peer in the notation of users: `10.1.0.7`, `10.1.0.7:5000`, `fd00::7`, `[fd00::7]:5000`. */
import { isPort } from "./host-port.ts";
import { parseIp, type Ip } from "./ip.ts";

export interface PeerAddress {
  readonly peer: Ip;
  readonly port?: number;
}

const WITH_PORT = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/;

/** @returns undefined if `text` has none of these forms. */
export const parsePeer = (text: string): PeerAddress | undefined => {
  const whole = parseIp(text);
  if (whole !== undefined) return { peer: whole };
  const [, bracketed, plain, digits = ""] = WITH_PORT.exec(text) ?? [];
  const peer = parseIp(bracketed ?? plain ?? "");
  const port = Number(digits);
  return peer !== undefined && isPort(port) ? { peer, port } : undefined;
};
