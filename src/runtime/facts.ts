/** The events of a source, as facts. Secrets end here: facts contain digests. */
import type { Logger } from "pino";
import type { Fact } from "../journal/fact.ts";
import type { Vault } from "../journal/vault.ts";
import { keyOf } from "../resources/keys.ts";
import type { WatchEvent } from "../watchers/source.ts";

export const factOf = (event: WatchEvent, vault: Vault): Fact => {
  switch (event.event) {
    case "seen":
      return { type: "object.seen", data: { kind: event.kind, object: vault.redact(event.kind, event.object) } };
    case "gone":
      vault.forget(keyOf(event.kind, event.name));
      return { type: "object.gone", data: { kind: event.kind, name: event.name } };
    case "rejected":
      return { type: "object.rejected", data: event.rejection };
    case "corrected":
      return { type: "object.corrected", data: event.rejection };
    case "listed": {
      const { event: _, ...data } = event;
      return { type: "kind.listed", data };
    }
    case "absent":
      return { type: "kind.absent", data: { kind: event.kind, version: event.version } };
    case "synced":
      return { type: "objects.synced", data: { objects: event.objects } };
    case "lost":
      return { type: "watch.lost", data: { reason: vault.scrub(event.reason) } };
    case "restored":
      return { type: "watch.restored", data: {} };
    case "withdrawn":
      return { type: "config.withdrawn", data: { gateway: event.gateway } };
    default:
      return event satisfies never;
  }
};

/** While the disk rejects writes, the log is kept in memory, and calls continue. */
export const tellOfDisk =
  (log: Logger) =>
  (refusal: string | undefined): void => {
    if (refusal === undefined) log.warn("the event log is written again");
    else log.error({ refusal }, "the event log cannot be written; it is kept in memory meanwhile");
  };
