/** Kubernetes Events: what a person who looks at a Gateway should know. Best effort: a refused Event is not missed. */
import { monotonicMs, wallMs } from "../clock.ts";
import type { Api } from "../kubernetes/api.ts";
import type { Core } from "../core/core.ts";
import type { Fold } from "../core/fold.ts";
import type { FactLine } from "../journal/fact.ts";
import type { Name } from "../resources/keys.ts";
import { isMadeKind } from "../resources/kinds.ts";
import { DEFAULT_CONTROLLER_NAME } from "../resources/names.ts";

export interface EventRecorder {
  folded(fold: Fold): void;
  took(fact: FactLine): void;
}

/** The same is not said again for this long, in ms. */
const QUIET_MS = 10 * 60_000;
const MAX_REMEMBERED = 10_000;
/** Kubernetes takes no longer ones. */
const MAX_NOTE = 1000;

export interface EventRecorderOptions {
  readonly api: Api;
  readonly core: Core;
  /** Only a leader speaks. */
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
          const slash = entity.lastIndexOf("/");
          say(
            entity.slice(0, slash) as Name,
            "Warning",
            "ListenerRefused",
            `listener ${entity.slice(slash + 1)}: ${why}`,
          );
        }
      }
    },
    took(fact) {
      if (fact.type === "object.written" && fact.data.outcome === "foreign") {
        const slash = fact.data.object.indexOf("/");
        say(
          fact.data.object.slice(slash + 1) as Name,
          "Warning",
          "NotOurs",
          `${fact.data.object} exists and is not ours: it is neither changed nor deleted`,
        );
      } else if (fact.type === "effect.failed" && fact.data.effect === "write") {
        const [kind = "", name = ""] = fact.data.target.split(" ");
        const gateway = isMadeKind(kind) ? name : kind === "status" ? /^Gateway\/(.+)$/.exec(name)?.[1] : undefined;
        if (gateway !== undefined) say(gateway as Name, "Warning", "WriteFailed", `${kind}: ${fact.data.reason}`);
      }
    },
  };
};
