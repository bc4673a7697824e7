/** `turnpike icetester`, also as the program `icetester`: the remote end of an ICE test. */
import { Command } from "commander";
import { pino } from "pino";
import { messageOf, TurnpikeError } from "../errors.ts";
import { settingsOf } from "../icetest/settings.ts";
import { startWhipServer } from "../icetest/whip-server.ts";
import { pinoLevel } from "../runtime/log-level.ts";
import { parseBindAddress, type BindAddress } from "./go-flags.ts";
import { onStopSignal } from "./signals.ts";

interface IceTesterFlags {
  readonly addr: BindAddress;
  readonly log: string;
  readonly verbose?: boolean;
}

const DEFAULT_ADDRESS = ":8089";

const run = async ({ addr, log: spec, verbose }: IceTesterFlags): Promise<void> => {
  const level = pinoLevel(verbose === true ? "all:DEBUG" : spec);
  const log = pino({ name: "turnpike-icetester", level }, pino.destination({ fd: 1, sync: true }));
  let settings;
  try {
    settings = settingsOf(process.env);
  } catch (error) {
    // From the environment, not from the arguments.
    throw error instanceof TurnpikeError ? new TurnpikeError("icetest-failed", error.message) : error;
  }
  const server = await startWhipServer({
    ...addr,
    settings,
    report: ({ event, ...rest }) => (event === "failed" ? log.warn(rest, event) : log.debug(rest, event)),
  }).catch((error: unknown) => {
    if (error instanceof TurnpikeError) throw error;
    throw new TurnpikeError("bind-failed", messageOf(error));
  });
  process.stderr.write(`WHIP at port ${server.port}, ${settings.whipEndpoint}\n`);
  onStopSignal(() => void server.close().then(() => process.exit(0)));
};

export const iceTesterCommand = (): Command =>
  new Command("icetester")
    .description("take WHIP offers and send back what comes over their data channels: the far end of an ICE test")
    .option("-a, --addr <host:port>", "where to listen", parseBindAddress, parseBindAddress(DEFAULT_ADDRESS))
    .option("-l, --log <spec>", "SCOPE:LEVEL,…", "all:WARN")
    .option("-v, --verbose", "the same as --log all:DEBUG")
    .action(run);
