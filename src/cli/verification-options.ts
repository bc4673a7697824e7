/** How to verify a TURN server's certificate, over TLS and DTLS. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import type { TurnClientOptions } from "../turn-client/turn-client.ts";

export interface VerificationFlags {
  readonly insecure?: boolean;
  readonly sni?: string;
  readonly caFile?: string;
}

export const addVerificationOptions = (command: Command): Command =>
  command
    .option("-i, --insecure", "take any certificate of the server")
    .option("--sni <name>", "name that the server's certificate has to be for")
    .option("--ca-file <file>", "PEM of the authority that signed it, where Node trusts it not");

/** @param name to verify unless a flag sets another. @throws the error of reading the file. */
export const verificationOf = (
  { insecure, sni, caFile }: VerificationFlags,
  name?: string,
): Pick<TurnClientOptions, "insecure" | "serverName" | "ca"> => ({
  insecure,
  serverName: sni ?? name,
  ca: caFile === undefined ? undefined : readFileSync(caFile, "utf8"),
});
