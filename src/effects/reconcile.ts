/**
 * Keeps the cluster in the state that the core wants: objects of our Gateways, statuses, and changes that others made to
 * them. Only a leader writes; a standby knows all pending work and does it once it leads.
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
  /** Records what a fold has changed. */
  folded(fold: Fold): void;
  /** Records that an object of ours may have been changed by others. */
  observed(fact: FactLine): void;
  /** Starts writing, with all pending writes; or stops. */
  lead(leads: boolean): void;
  idle(): Promise<void>;
  /** Pending keys. */
  readonly left: readonly string[];
  readonly isDone: boolean;
  close(): void;
}

/** The result of one attempt to write. */
export interface Write {
  readonly key: WriteKey;
  readonly outcome: Applied | "error";
  /** The previous attempt had failed. */
  readonly isRetry: boolean;
  readonly seconds: number;
}

export interface ReconcilerOptions extends Omit<WriterOptions, "withdrawn" | "vault"> {
  readonly vault: Pick<Vault, "reveal" | "revealObject" | "scrub">;
  readonly report: (happenings: readonly Happening[]) => void;
  /** Called for every attempt, including those without a fact. */
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
  /** With the number of requests for each. */
  const todo = new Map<WriteKey, number>();
  /** Removed outputs, while some of their objects remain. */
  const withdrawn = new Set<string>();
  /** Aborted when leadership is lost: another process may write by the time an answer arrives. */
  let leadership = new AbortController();
  const writing: Api = { ...api, json: (request) => api.json({ ...request, signal: leadership.signal }) };
  const write = createWriter({ api: writing, core, vault, withdrawn });
  /** Keys with a recorded failure, with the status of the answer. */
  const failed = new Map<WriteKey, number>();
  let leads = false;

  /** Reports changes of an object: that it was written, or that it is in the desired state after a failure. */
  const done = (key: WriteKey, outcome: Applied): void => {
    const isNews = outcome !== "unchanged" && outcome !== "absent";
    const { what, name } = splitWriteKey(key);
    // A write that had begun before the output was withdrawn has not removed it.
    if (what === "ConfigMap" && (outcome === "removed" || outcome === "absent"))
      withdrawn.delete(configMapOutput(name as Name));
    if ((!failed.delete(key) && !isNews) || what === "status") return;
    const data = { object: `${what}/${name}`, outcome };
    report([{ fact: { type: "object.written", data }, source: "effects", cause: null }]);
    // Other writes may wait for what a Service releases, for example a node port.
    if (what === "Service" && isNews && outcome !== "created") retryServices();
  };

  const retryServices = (): void => {
    for (const key of failed.keys()) if (key.startsWith("Service ")) add(key);
  };

  const work = async (key: WriteKey): Promise<void> => {
    // Between a fact and its fold the core still has the previous desired state, which at a new start is empty.
    while (core.dirty) await new Promise((resolve) => setImmediate(resolve));
    // Leadership may have been lost while it waited. The work stays pending.
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
    // If requested again meanwhile, it is not complete.
    if (todo.get(key) === asked) todo.delete(key);
    tell(outcome);
  };

  const queue: WorkQueue<WriteKey> = createWorkQueue({
    work,
    onFailure: (key, error, attempt) => {
      // A rejection may quote the document, and the message is logged.
      const reason = vault.scrub(messageOf(error));
      const status = error instanceof ApiError ? error.status : 0;
      // Reports the first failure of a kind, and then every tenth, to keep the log short.
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
          // For a deleted Gateway there is nothing left to do.
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
      // Another controller may have written a status that we own.
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
