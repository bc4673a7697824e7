/**
 * Keeps the cluster as the core says: objects of our Gateways, statuses, and what others have changed about them. Only a
 * leader writes; a standby knows all pending work and does it once it leads.
 */
import type { Core } from "../core/core.ts";
import type { Fold } from "../core/fold.ts";
import type { FactLine, Happening } from "../journal/fact.ts";
import type { Vault } from "../journal/vault.ts";
import { ApiError, type Api } from "../kubernetes/api.ts";
import { keyOf, nameOfObject, type Name } from "../resources/keys.ts";
import { isMadeKind, madeKinds, type MadeKind } from "../resources/kinds.ts";
import type { Applied } from "./objects.ts";
import { createWorkQueue, type WorkQueue } from "./queue.ts";
import {
  configMapOutput,
  createWriter,
  objectsOutput,
  splitWriteKey,
  type WriteKey,
  type WriterOptions,
} from "./writer.ts";
import { messageOf } from "../errors.ts";
import { splitOutput } from "../core/output-id.ts";

export interface Reconciler {
  /** Takes note of what a fold has changed. */
  folded(fold: Fold): void;
  /** Takes note of an object of ours that somebody may have changed. */
  observed(fact: FactLine): void;
  /** Starts writing, with all pending writes; or stops. */
  lead(leads: boolean): void;
  idle(): Promise<void>;
  /** Keys that are still to be done. */
  readonly left: readonly string[];
  readonly isDone: boolean;
  close(): void;
}

/** What became of one try to write. */
export interface Write {
  readonly key: WriteKey;
  readonly outcome: Applied | "error";
  /** The try before it had failed. */
  readonly isRetry: boolean;
  readonly seconds: number;
}

export interface ReconcilerOptions extends Omit<WriterOptions, "withdrawn" | "vault"> {
  readonly vault: Pick<Vault, "reveal" | "revealObject" | "scrub">;
  readonly report: (happenings: readonly Happening[]) => void;
  /** Called with every try, those too that no fact tells of. */
  readonly onWrite?: (write: Write) => void;
}

const kindsOf = (core: Core): readonly MadeKind[] => (core.options.mode === "legacy" ? ["Service"] : madeKinds);

export const createReconciler = ({
  api,
  core,
  vault,
  report,
  onWrite = () => undefined,
}: ReconcilerOptions): Reconciler => {
  /** With how often each was asked for. */
  const todo = new Map<WriteKey, number>();
  /** Removed outputs, as long as some of their objects remain. */
  const withdrawn = new Set<string>();
  /** Broken off with the leadership: somebody else may write by the time an answer comes. */
  let leadership = new AbortController();
  const writing: Api = { ...api, json: (request) => api.json({ ...request, signal: leadership.signal }) };
  const write = createWriter({ api: writing, core, vault, withdrawn });
  /** Keys of which a failure is on record, with the answer's status. */
  const failed = new Map<WriteKey, number>();
  let leads = false;

  /** Tells what is news of an object: that it is another one now, or that it is as it should be after it had failed. */
  const done = (key: WriteKey, outcome: Applied): void => {
    const isNews = outcome !== "unchanged" && outcome !== "absent";
    const { what, name } = splitWriteKey(key);
    // A write that had begun before it was withdrawn has not removed it.
    if (what === "ConfigMap" && (outcome === "removed" || outcome === "absent"))
      withdrawn.delete(configMapOutput(name as Name));
    if ((!failed.delete(key) && !isNews) || what === "status") return;
    const data = { object: `${what}/${name}`, outcome };
    report([{ fact: { type: "object.written", data }, source: "effects", cause: null }]);
    // What a Service gives up, a node port say, may be what others wait for.
    if (what === "Service" && isNews && outcome !== "created") retryServices();
  };

  const retryServices = (): void => {
    for (const key of failed.keys()) if (key.startsWith("Service ")) add(key);
  };

  const work = async (key: WriteKey): Promise<void> => {
    // Between a fact and its fold the core says what was right before, which for a new start is that nothing is wanted.
    while (core.dirty) await new Promise((resolve) => setImmediate(resolve));
    // Leadership may have been lost while it waited. It stays to be done.
    if (!leads) return;
    const asked = todo.get(key);
    const isRetry = failed.has(key);
    const startedAt = performance.now();
    const tell = (outcome: Write["outcome"]): void =>
      onWrite({ key, outcome, isRetry, seconds: (performance.now() - startedAt) / 1000 });
    const { signal } = leadership;
    const outcome = await write(key).catch((error: unknown) => {
      if (signal.aborted) return undefined;
      tell("error");
      throw error;
    });
    if (outcome === undefined) return;
    done(key, outcome);
    // Asked for once more meanwhile, it is not done.
    if (todo.get(key) === asked) todo.delete(key);
    tell(outcome);
  };

  const queue: WorkQueue<WriteKey> = createWorkQueue({
    work,
    onFailure: (key, error, attempt) => {
      // Whoever refuses a document may quote from it, and this is written down.
      const reason = vault.scrub(messageOf(error));
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

  const add = (key: WriteKey): void => {
    todo.set(key, (todo.get(key) ?? 0) + 1);
    if (leads) queue.add(key);
  };

  return {
    folded({ derived }) {
      for (const { derivation } of derived) {
        if (derivation.type !== "rendered") continue;
        const { output } = derivation.data;
        const { what, name } = splitOutput(output);
        if (what === "status") add(`status ${name}`);
        else if (what === "configmap") {
          if (derivation.data.parts === null) withdrawn.add(output);
          else withdrawn.delete(output);
          add(`ConfigMap ${name}`);
        } else if (what === "objects") {
          // Of a Gateway that is deleted nothing is left to us.
          if (derivation.data.parts === null && core.view.get("Gateway", name as Name) !== undefined)
            withdrawn.add(output);
          else withdrawn.delete(output);
          for (const kind of kindsOf(core)) add(`${kind} ${name}`);
        }
      }
    },
    observed(fact) {
      if (fact.type !== "object.seen" && fact.type !== "object.gone") return;
      const { kind } = fact.data;
      const name = fact.type === "object.seen" ? nameOfObject(kind, fact.data.object) : fact.data.name;
      if (fact.type === "object.gone" && kind === "Gateway") withdrawn.delete(objectsOutput(name));
      if (fact.type === "object.gone" && kind === "Service") retryServices();
      if (isMadeKind(kind) && core.view.get("Gateway", name) !== undefined) add(`${kind} ${name}`);
      if (kind === "ConfigMap" && core.configMap(name) !== undefined) add(`ConfigMap ${name}`);
      // Somebody else may have written a status that is ours to write.
      if (kind === "GatewayClass" || kind === "Gateway" || kind === "UDPRoute" || kind === "GatewayUDPRoute")
        add(`status ${keyOf(kind, name)}`);
    },
    lead(now) {
      leads = now;
      if (now && leadership.signal.aborted) leadership = new AbortController();
      if (!now) leadership.abort();
      if (now) for (const key of todo.keys()) queue.add(key);
    },
    idle: () => queue.idle(),
    get isDone() {
      return todo.size === 0;
    },
    get left() {
      return [...todo.keys()];
    },
    close: () => queue.close(),
  };
};
