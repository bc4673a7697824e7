/** The program's own messages: a JSON object a line, or text for people. */
import { Option } from "commander";
import { pino, type Logger } from "pino";

export interface LogOptions {
  readonly name: string;
  /** A level of pino. */
  readonly level: string;
  /** 1 or 2. */
  readonly fd: number;
  /** `json`; anything else is text. */
  readonly format: string;
}

/** The destination of messages as text. Loaded only if it is asked for: it takes 50 ms and 9 MB. */
const prettyTo = async (fd: number) => {
  const { build } = await import("pino-pretty");
  return build({
    destination: fd,
    sync: true,
    colorize: false,
    ignore: "pid,hostname,name",
    translateTime: "SYS:standard",
  });
};

/** Both are written at once: a message is there before what follows it happens. */
export const createLog = async ({ name, level, fd, format }: LogOptions): Promise<Logger> =>
  pino({ name, level }, format === "json" ? pino.destination({ fd, sync: true }) : await prettyTo(fd));

export const logFormatOption = (): Option =>
  new Option("--log-format <format>", "of the program's own messages: json, or text for people").default("json");
