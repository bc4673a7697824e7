/** Whether and how traces are sent: `--traces URL`, and the environment variables of OpenTelemetry's specification. */
import { TurnpikeError } from "../../errors.ts";

export interface TraceSettings {
  /** Where spans are sent by OTLP over HTTP; the environment decides if absent. */
  readonly url?: string;
  /** Maximum number of spans that wait to be sent; more are dropped. */
  readonly maxQueueSize: number;
  readonly maxExportBatchSize: number;
  /** Milliseconds that a span waits for others. */
  readonly scheduledDelayMillis: number;
  /** Sampling ratio of traces; 1 for all of them. */
  readonly ratio: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

const SIGNAL_PATH = "v1/traces";

const countOf = (environment: Environment, name: string, fallback: number): number => {
  const value = Number(environment[name] || fallback);
  return Number.isInteger(value) && value > 0 ? value : fallback;
};

/** `OTEL_TRACES_SAMPLER`; every trace begins here, so the parent's decision does not apply. */
const ratioOf = ({ OTEL_TRACES_SAMPLER: sampler = "", OTEL_TRACES_SAMPLER_ARG: argument }: Environment): number => {
  if (sampler.endsWith("always_off")) return 0;
  const ratio = Number(argument || 1);
  return sampler.endsWith("traceidratio") && ratio >= 0 && ratio <= 1 ? ratio : 1;
};

/**
 * Undefined if traces are disabled, which is the default unless `url` or the environment names a collector.
 * @param url of a collector, to which the path `v1/traces` is added. @throws TurnpikeError `usage`.
 */
export const traceSettings = (url: string | undefined, environment: Environment): TraceSettings | undefined => {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = environment;
  if (environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return undefined;
  if (url === undefined && (environment["OTEL_TRACES_EXPORTER"] === "none" || !(own || all))) return undefined;
  // Without any password in it.
  if (url !== undefined && !/^https?:\/\//.test(url))
    throw new TurnpikeError("usage", "--traces: expected http://HOST:PORT of a collector for OTLP over HTTP");
  return {
    ...(url === undefined ? {} : { url: `${url.replace(/\/+$/, "")}/${SIGNAL_PATH}` }),
    maxQueueSize: countOf(environment, "OTEL_BSP_MAX_QUEUE_SIZE", 2048),
    maxExportBatchSize: countOf(environment, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512),
    scheduledDelayMillis: countOf(environment, "OTEL_BSP_SCHEDULE_DELAY", 5000),
    ratio: ratioOf(environment),
  };
};
