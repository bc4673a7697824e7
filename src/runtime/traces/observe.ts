/**
 * Traces of the loop: from a watch event to the config at the relay, the objects in the cluster, and the dataplane that was
 * notified. It only observes, and sequence numbers link a span to the event log.
 *
 *     watch event ─┬─ apply
 *                  └─ fold ─┬─ publish ─── config push
 *                           └─ write
 */
import type { Derived } from "../../core/derived.ts";
import type { DiscoveryReport } from "../../discovery/server.ts";
import type { Write } from "../../effects/reconcile.ts";
import { configMapOutput, objectsOutput, splitWriteKey, type WriteKey } from "../../effects/writer.ts";
import type { FactLine } from "../../journal/fact.ts";
import { nameOfObject, type Name } from "../../resources/keys.ts";
import type { Loop } from "../loop.ts";
import { nowMs, type Attributes, type Span, type Tracer } from "./tracer.ts";

export interface TraceOptions {
  readonly tracer: Tracer;
  readonly loop: Pick<Loop, "onFact" | "onFold" | "onTurn">;
  /** Whether configs are applied in this process, which facts record; otherwise they are only served. */
  readonly relays: boolean;
}

export interface Traces {
  wrote(write: Write): void;
  told(report: DiscoveryReport): void;
}

/** A fact that arrived in this turn. */
interface Come {
  readonly fact: FactLine;
  readonly startedAt: number;
  readonly endedAt: number;
}

/**
 * Maximum number of links of a span, OpenTelemetry's default. Of a first list with more objects the last ones are traced.
 */
const MAX_FACTS = 128;
/** Maximum number of facts whose spans are kept as parents of later spans. */
const MAX_REMEMBERED = 4096;

/** Facts of calls: they are not folded, and there are many. */
const OF_CALLS: ReadonlySet<FactLine["type"]> = new Set([
  "allocation.opened",
  "allocation.moved",
  "allocation.used",
  "allocation.closed",
  "client.redirected",
  "peer.refused",
]);

const attributesOf = (fact: FactLine): Attributes => {
  const seq = {
    "turnpike.event.seq": fact.seq,
    "turnpike.event.type": fact.type,
    "turnpike.event.source": fact.source,
  };
  if (fact.type === "object.seen")
    return {
      ...seq,
      "turnpike.object.kind": fact.data.kind,
      "turnpike.object.name": nameOfObject(fact.data.kind, fact.data.object),
    };
  if (fact.type === "object.gone")
    return { ...seq, "turnpike.object.kind": fact.data.kind, "turnpike.object.name": fact.data.name };
  return seq;
};

const nameOfSpan = ({ type }: FactLine): string =>
  type === "object.seen" || type === "object.gone" ? "watch event" : `fact ${type}`;

/** The output that a write applies. */
const outputOf = (key: WriteKey): string => {
  const { what, name } = splitWriteKey(key);
  if (what === "status") return key;
  return what === "ConfigMap" ? configMapOutput(name as Name) : objectsOutput(name as Name);
};

export const traceLoop = ({ tracer, loop, relays }: TraceOptions): Traces => {
  let come: Come[] = [];
  let left = 0;
  /** Spans of facts, by their sequence numbers. */
  const byFact = new Map<number, Span>();
  /** The fold that last changed an output. */
  const byOutput = new Map<string, Span>();
  /** The last publication of a gateway; only unfinished ones. */
  const published = new Map<string, Span>();
  const publishing = new Map<string, Span>();

  const remember = (seq: number, span: Span): void => {
    byFact.set(seq, span);
    const [oldest] = byFact.keys();
    if (byFact.size > MAX_REMEMBERED && oldest !== undefined) byFact.delete(oldest);
  };

  const endPublishing = (gateway: string, more: Parameters<Span["end"]>[1]): void => {
    publishing.get(gateway)?.end(nowMs(), more);
    publishing.delete(gateway);
  };

  const followFact = ({ type, data, seq }: FactLine): void => {
    if (type === "gateway.published") {
      const { gateway, admitted, drained, revoked } = data;
      const counts = { "turnpike.admitted": admitted, "turnpike.drained": drained, "turnpike.revoked": revoked };
      endPublishing(gateway, { attributes: { "turnpike.event.seq": seq, ...counts } });
    } else if (type === "gateway.removed") endPublishing(data.gateway, { attributes: { "turnpike.event.seq": seq } });
    else if (type === "effect.failed" && data.effect === "publish")
      endPublishing(data.target, { attributes: { "turnpike.event.seq": seq }, failure: data.reason });
  };

  /** The spans of folded facts, each with the span of applying it. */
  const startFacts = (): readonly { readonly come: Come; readonly span: Span }[] =>
    come.map((one) => {
      const { fact, startedAt, endedAt } = one;
      const parent = fact.cause === null ? undefined : byFact.get(fact.cause);
      const span = tracer.start({ name: nameOfSpan(fact), startedAt, parent, attributes: attributesOf(fact) });
      remember(fact.seq, span);
      tracer
        .start({ name: "apply", startedAt, parent: span, attributes: { "turnpike.event.seq": fact.seq } })
        .end(endedAt);
      return { come: one, span };
    });

  const outputs = (derived: readonly Derived[]): readonly string[] =>
    derived.flatMap(({ derivation }) => (derivation.type === "rendered" ? [derivation.data.output] : []));

  loop.onFact((fact, seconds) => {
    followFact(fact);
    if (OF_CALLS.has(fact.type)) return;
    const endedAt = nowMs();
    come.push({ fact, startedAt: endedAt - seconds * 1000, endedAt });
    if (come.length > MAX_FACTS) {
      come.shift();
      left += 1;
    }
  });

  loop.onFold(({ changes, derived }, seconds) => {
    const endedAt = nowMs();
    const facts = startFacts();
    const [firstChange] = changes;
    const main = facts.find(({ come: { fact } }) => fact.seq === firstChange?.cause) ?? facts.at(-1);
    const changed = outputs(derived);
    const fold = tracer.start({
      name: "fold",
      startedAt: endedAt - seconds * 1000,
      parent: main?.span,
      links: facts.filter((one) => one !== main).map(({ span }) => span),
      attributes: {
        "turnpike.event.through": facts.at(-1)?.come.fact.seq ?? 0,
        "turnpike.facts": facts.length + left,
        "turnpike.gateways": changes.map(({ gateway }) => gateway),
        "turnpike.outputs": changed.length,
      },
    });
    for (const output of changed) byOutput.set(output, fold);
    for (const { gateway, cause, config } of changes) {
      publishing.get(gateway)?.end(endedAt, { failure: "overtaken by another config" });
      const why = byFact.get(cause);
      const publish = tracer.start({
        name: "publish",
        startedAt: endedAt,
        parent: fold,
        links: why === undefined || why === main?.span ? [] : [why],
        attributes: {
          "turnpike.gateway": gateway,
          "turnpike.cause.seq": cause,
          "turnpike.removed": config === undefined,
        },
      });
      published.set(gateway, publish);
      if (relays) publishing.set(gateway, publish);
      else publish.end(nowMs());
      if (config === undefined) published.delete(gateway);
    }
    fold.end(endedAt);
    for (const { span } of facts) span.end(endedAt);
  });

  loop.onTurn(() => {
    come = [];
    left = 0;
  });

  return {
    wrote({ key, outcome, isRetry, seconds }) {
      const endedAt = nowMs();
      const { what, name } = splitWriteKey(key);
      const attributes = {
        "turnpike.object.kind": what === "status" ? "status" : what,
        "turnpike.object.name": name,
        "turnpike.outcome": outcome,
        "turnpike.retry": isRetry,
      };
      const parent = byOutput.get(outputOf(key));
      tracer
        .start({ name: "write", startedAt: endedAt - seconds * 1000, parent, attributes })
        .end(endedAt, outcome === "error" ? { failure: "see effect.failed in the event log" } : {});
    },
    told(report) {
      // A new watcher receives the current state; no event caused that.
      if (report.event !== "pushed" || !report.isNews) return;
      const { id, peer, bytes, seconds } = report;
      const endedAt = nowMs();
      const attributes = { "turnpike.gateway": id, "turnpike.dataplane": peer, "turnpike.bytes": bytes };
      const parent = published.get(id);
      tracer.start({ name: "config push", startedAt: endedAt - seconds * 1000, parent, attributes }).end(endedAt);
    },
  };
};
