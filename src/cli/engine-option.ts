/** `--engine`, of every command that relays. */
import { Option } from "commander";
import { engineNames } from "../dataplane/engines/index.ts";

export const engineOption = (): Option =>
  new Option("--engine <name>", "what moves packets: batch (Linux), dgram (anywhere), or the best that works")
    .choices(engineNames)
    .default("auto");
