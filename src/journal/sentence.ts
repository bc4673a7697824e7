/** A line of the log as a sentence for people. */
import type { JournalLine, OffloadInterface, OffloadSummary, Rejection } from "./fact.ts";
import { keyOf, nameOfObject } from "../resources/keys.ts";

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

export const rejectionSentence = ({ file, line, object, field, reason }: Rejection): string =>
  `${file}:${line}: ${[object, field, reason].filter((part) => part !== "").join(": ")}`;

/** `XDP on eth0; TC on lo`. */
export const offloadEnginesText = (interfaces: readonly OffloadInterface[]): string =>
  (["XDP", "TC"] as const)
    .flatMap((engine) => {
      const names = interfaces.filter((one) => one.engine === engine).map(({ name }) => name);
      return names.length === 0 ? [] : [`${engine} on ${names.join(", ")}`];
    })
    .join("; ");

const offloadSentence = ({ engine, interfaces = [], reason = "" }: OffloadSummary): string =>
  engine === "None"
    ? `user space relays all packets: ${reason}`
    : `the kernel forwards channels over UDP (${offloadEnginesText(interfaces)}), user space relays the rest`;

export const sentence = (line: JournalLine): string => {
  switch (line.type) {
    case "operator.started":
      return `turnpike ${line.data.release} started in ${line.data.options.mode} mode`;
    case "journal.recovered":
      return `the last line of the log was torn; ${plural(line.data.tornBytes, "byte")} dropped`;
    case "operator.stopping":
      return `asked to stop: ${line.data.reason}`;
    case "operator.drained":
      return "nothing is in flight";
    case "operator.finalized":
      return `${plural(line.data.removed.length, "gateway")} removed${line.data.left.length > 0 ? `, left behind: ${line.data.left.join(", ")}` : ""}`;
    case "lease.acquired":
      return `leading as ${line.data.holder}`;
    case "lease.lost":
      return `no longer leading: ${line.data.reason}`;
    case "object.written":
      return line.data.outcome === "foreign"
        ? `${line.data.object} is not ours and was left alone`
        : `${line.data.object} ${line.data.outcome}`;
    case "object.seen":
      return `seen ${keyOf(line.data.kind, nameOfObject(line.data.kind, line.data.object))}`;
    case "object.gone":
      return `gone ${keyOf(line.data.kind, line.data.name)}`;
    case "object.rejected":
      return rejectionSentence(line.data);
    case "object.corrected":
      return `${line.data.file}: ${[line.data.object, line.data.field].filter((part) => part !== "").join(": ") || "the file"} is right again`;
    case "kind.listed": {
      const { kind, version, objects, seconds, attempts } = line.data;
      return `${kind} (${version}): ${plural(objects, "object")} listed after ${seconds} s${attempts > 1 ? `, at the ${attempts}th try` : ""}`;
    }
    case "kind.absent":
      return `${line.data.kind} (${line.data.version}) is not served by the API server`;
    case "objects.synced":
      return `${plural(line.data.objects, "object")} listed`;
    case "watch.lost":
      return `watch lost: ${line.data.reason}`;
    case "watch.restored":
      return "watch restored";
    case "config.withdrawn":
      return `the operator no longer has ${line.data.gateway}; its last config stays active`;
    case "effect.failed":
      return `${line.data.effect} ${line.data.target} failed: ${line.data.reason}`;
    case "listener.bound":
      return `listener ${line.data.listener} serves at ${line.data.at.join(", ")}`;
    case "listener.closed":
      return `listener ${line.data.listener} closed`;
    case "listener.failed":
      return `listener ${line.data.listener} failed: ${line.data.reason}`;
    case "gateway.published": {
      const { gateway, admitted, drained, revoked } = line.data;
      return `gateway ${gateway} applied: ${admitted} admitted, ${drained} draining, ${revoked} revoked`;
    }
    case "gateway.removed":
      return `gateway ${line.data.gateway} torn down, ${plural(line.data.allocations, "allocation")} ended`;
    case "endpoint.revoked": {
      const { endpoint, cluster, gateway, permissions, channels, because } = line.data;
      const why = because === undefined ? "" : ` (${because.entity}: ${because.from} → ${because.to})`;
      return `endpoint ${endpoint} of ${cluster} revoked at ${gateway}${why}: ${plural(permissions, "permission")} and ${plural(channels, "channel")} dropped`;
    }
    case "worker.lost":
      return `worker ${line.data.worker} ended (${line.data.reason}); ${plural(line.data.allocations, "allocation")} with it`;
    case "worker.restored":
      return `worker ${line.data.worker} relays again`;
    case "offload.changed":
      return offloadSentence(line.data);
    case "allocation.opened":
      return `allocation ${line.data.id} of ${line.data.user} opened: ${line.data.client} relays from ${line.data.relayed} (${line.data.listener})`;
    case "allocation.moved":
      return `allocation ${line.data.id} of ${line.data.user} moved from ${line.data.from} to ${line.data.client}`;
    case "allocation.used":
      return `allocation ${line.data.id} of ${line.data.user} is open: ${line.data.packetsIn} packets in, ${line.data.packetsOut} out (report ${line.data.report})`;
    case "allocation.closed":
      return `allocation ${line.data.id} of ${line.data.user} closed (${line.data.reason}): ${line.data.packetsIn} packets in, ${line.data.packetsOut} out`;
    case "client.redirected": {
      const { user, client, server, listener, suppressed } = line.data;
      return `${user} at ${client} sent to ${server}, because this relay drains (${listener})${suppressed > 0 ? ` (and ${suppressed} more)` : ""}`;
    }
    case "peer.refused": {
      const { peer, user, client, code, reason, suppressed } = line.data;
      return `peer ${peer} refused to ${user} at ${client}: ${code === undefined ? "" : `${code}: `}${reason}${suppressed > 0 ? ` (and ${suppressed} more)` : ""}`;
    }
    case "transition": {
      const { machine, entity, from, event, to, why } = line.data;
      return `${machine} ${entity}: ${from === "" ? "" : `${from} `}→ ${to} (${event}${why === undefined ? "" : `: ${why}`})`;
    }
    case "fold":
      return `folded through ${line.data.through}`;
    case "snapshot":
      return "snapshot";
    case "rendered":
      return line.data.parts === null ? `${line.data.output} withdrawn` : `${line.data.output} rendered`;
    default:
      return line satisfies never;
  }
};
