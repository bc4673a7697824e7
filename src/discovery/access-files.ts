/** Credentials of the discovery server, from files: a certificate, its key, a token. They may be renewed while it runs. */
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { messageOf, TurnpikeError } from "../errors.ts";
import type { DiscoveryServer, TlsMaterial } from "./server.ts";

export interface AccessFiles {
  /** Paths of PEM files; both or neither. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Path; white space around the token is ignored. */
  readonly token?: string;
}

export interface Access {
  readonly tls?: TlsMaterial;
  readonly token?: string;
}

const textOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new TurnpikeError("discovery-file", `${path}: ${messageOf(error)}`);
  }
};

const tlsOf = (files: NonNullable<AccessFiles["tls"]>): TlsMaterial => {
  const material = { cert: textOf(files.cert), key: textOf(files.key) };
  try {
    createSecureContext(material);
  } catch (error) {
    const reason = messageOf(error);
    throw new TurnpikeError("discovery-file", `${files.cert} and ${files.key} cannot be used: ${reason}`);
  }
  return material;
};

const tokenOf = (path: string): string => {
  const token = textOf(path).trim();
  if (token === "") throw new TurnpikeError("discovery-file", `${path}: an empty token would let everyone in`);
  return token;
};

/** @throws TurnpikeError `discovery-file` if a file cannot be read or used. */
export const readAccess = ({ tls, token }: AccessFiles): Access => ({
  ...(tls === undefined ? {} : { tls: tlsOf(tls) }),
  ...(token === undefined ? {} : { token: tokenOf(token) }),
});

export interface FollowOptions {
  readonly everyMs?: number;
  /** The content of the files at the start. */
  readonly initial: Access;
  readonly onRenewed: () => void;
  /** Files that cannot be used: the previous version stays active. Called once for each reason. */
  readonly onRefused: (reason: string) => void;
}

/** The kubelet renews mounted Secrets about once a minute. */
const EVERY_MS = 10_000;

/**
 * Updates `server` whenever the content of the files changes. They are polled, not watched, because a renewal may replace a
 * symbolic link in their path. Returns a function that stops it.
 */
export const followAccess = (
  server: Pick<DiscoveryServer, "setTls" | "setToken">,
  files: AccessFiles,
  { everyMs = EVERY_MS, initial, onRenewed, onRefused }: FollowOptions,
): (() => void) => {
  let current = JSON.stringify(initial);
  let refusal: string | undefined;
  const look = (): void => {
    try {
      const access = readAccess(files);
      refusal = undefined;
      const text = JSON.stringify(access);
      if (text === current) return;
      if (access.tls !== undefined) server.setTls(access.tls);
      if (access.token !== undefined) server.setToken(access.token);
      current = text;
      onRenewed();
    } catch (error) {
      const reason = messageOf(error);
      if (reason !== refusal) onRefused(reason);
      refusal = reason;
    }
  };
  const timer = setInterval(look, everyMs).unref();
  return () => clearInterval(timer);
};
