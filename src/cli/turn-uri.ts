/** TURN URIs as arguments. */
import { InvalidArgumentError } from "commander";

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly transport: "udp" | "tcp";
}

/** `turn:HOST[:PORT][?transport=udp|tcp]`, RFC 7065. */
export const parseTurnUri = (text: string): Target => {
  const match = /^turn:(?:\/\/)?(\[[^\]]+\]|[^:?]+)(?::(\d+))?(?:\?transport=(udp|tcp))?$/.exec(text);
  if (match === null) throw new InvalidArgumentError("expected turn:HOST[:PORT][?transport=udp|tcp]");
  const [, host = "", port = "3478", transport = "udp"] = match;
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port), transport: transport === "tcp" ? "tcp" : "udp" };
};
