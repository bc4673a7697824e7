/**
 * Records as OpenTelemetry logs, OTLP over HTTP in JSON (`/v1/logs`). The official exporter drops what a collector does not
 * take, so only the format is OpenTelemetry's, and the sending is ours.
 */
import { release } from "../../release.ts";
import type { Encoding } from "./receiver.ts";
import type { UsageRecord } from "./record.ts";

/** AnyValue; 64-bit integers are strings in JSON. */
type Value =
  | { readonly stringValue: string }
  | { readonly intValue: string }
  | { readonly arrayValue: { readonly values: readonly Value[] } }
  | { readonly kvlistValue: { readonly values: readonly Pair[] } };

interface Pair {
  readonly key: string;
  readonly value: Value;
}

const INFO = 9;
const EVENT = "turnpike.usage";

const pairsOf = (values: object): readonly Pair[] =>
  Object.entries(values).map(([key, value]) => ({ key, value: valueOf(value) }));

const valueOf = (value: unknown): Value => {
  if (typeof value === "number") return { intValue: String(value) };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(valueOf) } };
  if (typeof value === "object" && value !== null) return { kvlistValue: { values: pairsOf(value) } };
  return { stringValue: String(value) };
};

/** Nanoseconds since 1970. */
const nanosOf = (text: string): string => `${Date.parse(text)}000000`;

const logRecordOf = (record: UsageRecord) => {
  const { id, kind, call, sequence, gateway, listener, user, until } = record;
  return {
    timeUnixNano: nanosOf(until),
    observedTimeUnixNano: nanosOf(until),
    severityNumber: INFO,
    severityText: "INFO",
    eventName: EVENT,
    body: valueOf(record),
    attributes: pairsOf({
      "event.name": EVENT,
      "log.record.uid": id,
      "turnpike.usage.kind": kind,
      "turnpike.usage.call": call,
      "turnpike.usage.sequence": sequence,
      "turnpike.gateway": gateway,
      "turnpike.listener": listener,
      "user.name": user,
    }),
  };
};

/** `partialSuccess` of the answer: the specification forbids sending what was refused again. */
const refusedOf = (answer: string): number => {
  try {
    const { partialSuccess } = JSON.parse(answer) as { partialSuccess?: { rejectedLogRecords?: number | string } };
    return Number(partialSuccess?.rejectedLogRecords ?? 0) || 0;
  } catch {
    // The body of a success may be empty.
    return 0;
  }
};

/** @param mode `operator`, `standalone`, `dataplane`. */
export const otlp = async (mode: string): Promise<Encoding> => {
  const { resourceFromAttributes, detectResources, envDetector } = await import("@opentelemetry/resources");
  const { attributes } = resourceFromAttributes({
    "service.name": "turnpike",
    "service.version": release,
    "turnpike.mode": mode,
  })
    // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
    .merge(detectResources({ detectors: [envDetector] }));
  const resource = { attributes: pairsOf(attributes) };
  const scope = { name: "turnpike", version: release };
  return {
    body: (records) => ({ resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords: records.map(logRecordOf) }] }] }),
    refused: refusedOf,
  };
};
