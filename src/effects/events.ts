/** Kubernetes Events: information for people who inspect a Gateway. Best effort: a rejected Event is ignored. */
import { monotonicMs, wallMs } from "../clock.ts";
import type { Api } from "../kubernetes/api.ts";
import type { Core } from "../core/core.ts";
import type { Fold } from "../core/fold.ts";
import type { FactLine } from "../journal/fact.ts";
import { splitKey, type Name, type ObjectKey } from "../resources/keys.ts";
import { splitListener } from "../resources/entities.ts";
import { isMadeKind } from "../resources/kinds.ts";
import { DEFAULT_CONTROLLER_NAME } from "../resources/names.ts";
import { splitWriteKey, type WriteKey } from "./writer.ts";

export interface EventRecorder {
  folded(fold: Fold): void;
  took(fact: FactLine): void;
}

/**
 * The Gateway that a write is for; undefined for a ConfigMap, which belongs to a class, and for statuses of other kinds.
 */
const gatewayOf = (key: WriteKey): Name | undefined => {
  const { what, name } = splitWriteKey(key);
  if (isMadeKind(what)) return name as Name;
  if (what !== "status") return undefined;
  const object = splitKey(name as ObjectKey);
  return object.kind === "Gateway" ? object.name : undefined;
};

/** The same Event is not repeated for this long, in ms. */
const QUIET_MS = 10 * 60_000;
const MAX_REMEMBERED = 10_000;
/** Kubernetes' limit. */
const MAX_NOTE = 1000;

export interface EventRecorderOptions {
  readonly api: Api;
  readonly core: Core;
  /** Only a leader emits Events. */
  readonly leads: () => boolean;
  readonly instance: string;
  readonly clocks?: { readonly monotonicMs: () => number; readonly wallMs: () => number };
}

export const createEventRecorder = ({
  api,
  core,
  leads,
  instance,
  clocks = { monotonicMs, wallMs },
}: EventRecorderOptions): EventRecorder => {
  const said = new Map<string, number>();

  const say = (gateway: Name, type: "Normal" | "Warning", reason: string, note: string): void => {
    const object = core.view.get("Gateway", gateway);
    if (!leads() || object === undefined) return;
    const key = `${gateway} ${reason} ${note}`;
    const now = clocks.monotonicMs();
    if (now - (said.get(key) ?? -Infinity) < QUIET_MS) return;
    if (said.size >= MAX_REMEMBERED) said.clear();
    said.set(key, now);
    const { namespace = "default", name, uid } = object.metadata;
    const body = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { generateName: `${name}-`, namespace },
      eventTime: `${new Date(clocks.wallMs()).toISOString().slice(0, -1)}000Z`,
      reportingController: DEFAULT_CONTROLLER_NAME,
      reportingInstance: instance,
      action: "Reconcile",
      type,
      reason,
      note: note.slice(0, MAX_NOTE),
      regarding: { apiVersion: object.apiVersion, kind: object.kind, namespace, name, uid },
    };
    void api
      .json({ method: "POST", path: `/apis/events.k8s.io/v1/namespaces/${namespace}/events`, body })
      .catch(() => undefined);
  };

  return {
    folded({ derived }) {
      for (const { derivation } of derived) {
        if (derivation.type !== "transition") continue;
        const { machine, entity, to, why = "" } = derivation.data;
        if (machine === "gateway" && to === "invalid") say(entity as Name, "Warning", "Invalid", why);
        else if (machine === "listener" && to === "refused") {
          const refused = splitListener(entity);
          if (refused !== undefined)
            say(refused.gateway, "Warning", "ListenerRefused", `listener ${refused.listener}: ${why}`);
        }
      }
    },
    took(fact) {
      if (fact.type === "object.written" && fact.data.outcome === "foreign") {
        say(
          splitKey(fact.data.object as ObjectKey).name,
          "Warning",
          "NotOurs",
          `${fact.data.object} exists and is not ours: it is neither changed nor deleted`,
        );
      } else if (fact.type === "effect.failed" && fact.data.effect === "write") {
        const key = fact.data.target as WriteKey;
        const gateway = gatewayOf(key);
        if (gateway !== undefined)
          say(gateway, "Warning", "WriteFailed", `${splitWriteKey(key).what}: ${fact.data.reason}`);
      }
    },
  };
};
