/** A program's own log, kept in memory. */
import { pino, type Logger } from "pino";

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export const keepLines = (level = "trace"): { readonly log: Logger; readonly lines: readonly LogLine[] } => {
  const lines: LogLine[] = [];
  const log = pino({ level }, { write: (line) => void lines.push(JSON.parse(line) as LogLine) });
  return { log, lines };
};
