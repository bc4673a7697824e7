/** The address of the admin API, and its token. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { InvalidArgumentError, Option } from "commander";
import type { AdminBinding } from "../admin/server.ts";
import { messageOf, TurnpikeError } from "../errors.ts";

export const DEFAULT_ADMIN = "127.0.0.1:8086";

export type HostAndPort = Pick<AdminBinding, "host" | "port">;

export const parseAdmin = (text: string): HostAndPort => {
  const [, host = "", port = ""] = /^\[?([^\]]*)\]?:(\d+)$/.exec(text) ?? [];
  if (isIP(host) === 0) throw new InvalidArgumentError("expected ADDRESS:PORT");
  return { host, port: Number(port) };
};

export const adminTokenOption = (): Option =>
  new Option("--admin-token-file <file>", "token that the admin API asks for, as a bearer token (default: none)");

/** @throws TurnpikeError `usage` if the file cannot be read or is empty: an empty token would protect nothing. */
export const readAdminToken = (file: string | undefined): { readonly token?: string } => {
  if (file === undefined) return {};
  let token: string;
  try {
    token = readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new TurnpikeError("usage", `--admin-token-file: ${messageOf(error)}`);
  }
  if (token === "") throw new TurnpikeError("usage", `--admin-token-file: ${file} is empty`);
  return { token };
};
