/**
 * Keeps the cluster as the core says: objects of our Gateways, statuses, and what others have changed about them. Only a
 * leader writes; a standby knows all that there is to do and does it once it leads.
 */
import { covers } from "./covers.ts";
import { applyObject, applyStatus, removeObject, type Applied } from "./objects.ts";
import { createWorkQueue, type WorkQueue } from "./queue.ts";
import type { Core } from "../core/core.ts";
import type { Fold } from "../core/fold.ts";
import { ApiError, type Api } from "../kubernetes/api.ts";
import { encodeConfig } from "../discovery/protocol.ts";
import { digest } from "../journal/digest.ts";
import type { FactLine, Happening } from "../journal/fact.ts";
import type { KubernetesObject } from "../resources/core.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { keyOf, nameOfObject, splitKey, type Name, type ObjectKey } from "../resources/keys.ts";
import { isMadeKind, kindOf, madeKinds, type MadeKind } from "../resources/kinds.ts";
import { LEGACY_CONFIG_KEY } from "../resources/names.ts";

export interface Reconciler {
  /** Takes note of what a fold has changed. */
  folded(fold: Fold): void;
  /** Takes note of an object of ours that somebody may have changed. */
  observed(fact: FactLine): void;
  /** Starts writing, with everything that there is to write; or stops. */
  lead(leads: boolean): void;
  idle(): Promise<void>;
  /** Keys that are still to be done. */
  readonly left: readonly string[];
  close(): void;
}

type Written = MadeKind | "ConfigMap";
type Key = `${Written | "status"} ${string}`;

/** Lists of a status that are ours alone; conditions of other types may be anybody's. */
const WHOLE: ReadonlySet<string> = new Set(["addresses", "listeners", "parents", "supportedKinds"]);

const STATUS = "status ";
const OBJECTS = "objects ";
const CONFIG_MAP = "configmap ";

export interface ReconcilerOptions {
  readonly api: Api;
  readonly core: Core;
  /** A config with the values that the core has digests of. */
  readonly reveal: (config: DataplaneConfig) => DataplaneConfig;
  readonly report: (happenings: readonly Happening[]) => void;
}

const kindsOf = (core: Core): readonly MadeKind[] => (core.options.mode === "legacy" ? ["Service"] : madeKinds);

const withData = (object: KubernetesObject, text: string): KubernetesObject & { readonly data: unknown } => ({
  ...object,
  data: { [LEGACY_CONFIG_KEY]: text },
});

export const createReconciler = ({ api, core, reveal, report }: ReconcilerOptions): Reconciler => {
  /** With how often each was asked for. */
  const todo = new Map<Key, number>();
  /** Gateways that are there, and were ours, and are not any more. */
  const withdrawn = new Set<Name>();
  /** Digests of what was wanted when an object was last as it should be. */
  const applied = new Map<Key, string>();
  /** ConfigMaps that had a config of ours and must go. */
  const withdrawnMaps = new Set<Name>();
  /** Keys of which a failure is on record, with the answer's status. */
  const failed = new Map<Key, number>();
  let leads = false;

  const written = (kind: Written, name: Name, outcome: Applied): void => {
    const key: Key = `${kind} ${name}`;
    const isNews = outcome !== "unchanged" && outcome !== "absent";
    if (!failed.delete(key) && !isNews) return;
    report([
      {
        fact: { type: "object.written", data: { object: `${kind}/${name}`, outcome } },
        source: "effects",
        cause: null,
      },
    ]);
    // What a Service gives up, a node port say, may be what others wait for.
    if (kind === "Service" && isNews) retryServices();
  };

  const retryServices = (): void => {
    for (const key of failed.keys()) if (key.startsWith("Service ")) add(key);
  };

  const writeObject = async (kind: MadeKind, name: Name): Promise<void> => {
    const gateway = core.rendered(name);
    const wanted = gateway?.objects.find((object) => object.kind === kind);
    const observed = core.view.get(kind, name);
    if (wanted !== undefined) {
      const text = digest(JSON.stringify(wanted));
      const known = applied.get(`${kind} ${name}`) === text ? observed : undefined;
      written(kind, name, await applyObject(api, kindOf(kind), name, wanted, known));
      applied.set(`${kind} ${name}`, text);
      return;
    }
    applied.delete(`${kind} ${name}`);
    // Removed is only what a rendering has said must go: what is not rendered yet is no reason.
    const isUnwanted =
      gateway === undefined ? withdrawn.has(name) : gateway.removals.some((removal) => removal.kind === kind);
    // What belonged to a Gateway that is deleted goes with it: the garbage collector sees to that.
    const mustGo = isUnwanted && core.view.get("Gateway", name) !== undefined;
    // One that we have just made comes here again when it is watched; at the end there is no later.
    const isThere = observed !== undefined || core.registry.state("operator", "operator") === "finalizing";
    written(kind, name, mustGo && isThere ? await removeObject(api, kindOf(kind), name) : "absent");
  };

  const writeConfigMap = async (name: Name): Promise<void> => {
    const kind = kindOf("ConfigMap");
    const wanted = core.configMap(name);
    if (wanted !== undefined) {
      const { object, config } = wanted;
      const text = config === undefined ? "" : encodeConfig(reveal(config));
      written("ConfigMap", name, await applyObject(api, kind, name, withData(object, text)));
      return;
    }
    written("ConfigMap", name, withdrawnMaps.has(name) ? await removeObject(api, kind, name) : "absent");
    withdrawnMaps.delete(name);
  };

  const writeStatus = async (key: ObjectKey): Promise<void> => {
    const status = core.status(key);
    const { kind, name } = splitKey(key);
    const object = core.view.get(kind, name);
    if (status === undefined || object === undefined) return;
    if ("status" in object && covers(object.status, status, WHOLE)) return;
    const version = object.apiVersion.split("/").at(-1) ?? "v1";
    await applyStatus(api, kindOf(kind), version, name, object.apiVersion, status);
  };

  const work = async (key: Key): Promise<void> => {
    // Between a fact and its fold the core says what was right before, which for a new start is that nothing is wanted.
    while (core.dirty) await new Promise((resolve) => setImmediate(resolve));
    // Leadership may have been lost while it waited. It stays to be done.
    if (!leads) return;
    const asked = todo.get(key);
    const space = key.indexOf(" ");
    const [what, name] = [key.slice(0, space), key.slice(space + 1)];
    if (what === "status") {
      await writeStatus(name as ObjectKey);
      failed.delete(key);
    } else if (what === "ConfigMap") await writeConfigMap(name as Name);
    else await writeObject(what as MadeKind, name as Name);
    // Asked for once more meanwhile, it is not done.
    if (todo.get(key) === asked) todo.delete(key);
  };

  const queue: WorkQueue<Key> = createWorkQueue({
    work,
    onFailure: (key, error, attempt) => {
      const reason = error instanceof Error ? error.message : String(error);
      const status = error instanceof ApiError ? error.status : 0;
      // The first failure of a sort is news, and then every tenth: the log is no place for a heartbeat.
      if (failed.get(key) !== status || attempt % 10 === 0) {
        const answered = status === 0 ? {} : { status };
        const data = { effect: "write", target: key, reason, ...answered };
        report([{ fact: { type: "effect.failed", data }, source: "effects", cause: null }]);
      }
      failed.set(key, status);
      return error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    },
  });

  const add = (key: Key): void => {
    todo.set(key, (todo.get(key) ?? 0) + 1);
    if (leads) queue.add(key);
  };

  return {
    folded({ derived }) {
      for (const { derivation } of derived) {
        if (derivation.type !== "rendered") continue;
        const { output } = derivation.data;
        if (output.startsWith(STATUS)) add(`status ${output.slice(STATUS.length)}`);
        else if (output.startsWith(CONFIG_MAP)) {
          const name = output.slice(CONFIG_MAP.length) as Name;
          if (derivation.data.parts === null) withdrawnMaps.add(name);
          else withdrawnMaps.delete(name);
          add(`ConfigMap ${name}`);
        } else if (output.startsWith(OBJECTS)) {
          const name = output.slice(OBJECTS.length) as Name;
          // Of a Gateway that is deleted nothing is left to us.
          if (derivation.data.parts === null && core.view.get("Gateway", name) !== undefined) withdrawn.add(name);
          else withdrawn.delete(name);
          for (const kind of kindsOf(core)) add(`${kind} ${name}`);
        }
      }
    },
    observed(fact) {
      if (fact.type !== "object.seen" && fact.type !== "object.gone") return;
      const { kind } = fact.data;
      const name = fact.type === "object.seen" ? nameOfObject(kind, fact.data.object) : fact.data.name;
      if (fact.type === "object.gone" && kind === "Gateway") withdrawn.delete(name);
      if (fact.type === "object.gone" && kind === "Service") retryServices();
      if (isMadeKind(kind) && core.view.get("Gateway", name) !== undefined) add(`${kind} ${name}`);
      if (kind === "ConfigMap" && core.configMap(name) !== undefined) add(`ConfigMap ${name}`);
      // Somebody else may have written a status that is ours to write.
      if (kind === "GatewayClass" || kind === "Gateway" || kind === "UDPRoute" || kind === "GatewayUDPRoute")
        add(`status ${keyOf(kind, name)}`);
    },
    lead(now) {
      leads = now;
      if (now) for (const key of todo.keys()) queue.add(key);
    },
    idle: () => queue.idle(),
    get left() {
      return [...todo.keys()];
    },
    close: () => queue.close(),
  };
};
