/** `--traces URL`. */
import { Option } from "commander";
import type { Logger } from "pino";
import { openTracer, traceSettings, type Tracer } from "../runtime/traces/index.ts";

export const tracesOption = (): Option =>
  new Option(
    "--traces <url>",
    "send traces to a collector, OTLP over HTTP (also OTEL_EXPORTER_OTLP_ENDPOINT; default: none)",
  );

/** Undefined if traces are disabled; the exporter is not loaded then. @throws TurnpikeError `usage`. */
export const tracerOf = async (url: string | undefined, mode: string, log: Logger): Promise<Tracer | undefined> => {
  const settings = traceSettings(url, process.env);
  if (settings === undefined) return undefined;
  return openTracer({ ...settings, mode, log });
};
