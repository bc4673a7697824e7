/** The public part of traces. The exporter is loaded only if traces are enabled. */
import type { TracerOptions } from "./otlp.ts";
import type { Tracer } from "./tracer.ts";

export { traceSettings } from "./settings.ts";
export type { Tracer } from "./tracer.ts";

/** Sends traces over OTLP until it is closed. */
export const openTracer = async (options: TracerOptions): Promise<Tracer> => {
  const { openTracer: open } = await import("./otlp.ts");
  return open(options);
};
