/**
 * A stand-in for an API server, deterministic and in memory: it stores, defaults and garbage-collects, hands every change to a
 * renderer and stores what that wants, until nothing changes.
 */
import { isDeepStrictEqual } from "node:util";
import type { DataplaneConfig } from "../../src/resources/dataplane-config.ts";
import type { KubernetesObject } from "../../src/resources/core.ts";
import { keyOf, nameOf, nameOfObject, splitKey, type Name, type ObjectKey } from "../../src/resources/keys.ts";
import { kindOf, kinds, type AnyObject, type KindId } from "../../src/resources/kinds.ts";
import { validate } from "../../src/resources/schema.ts";
import { mergePatched } from "../render/merge-patch.ts";
import { kindIdOf } from "../render/view.ts";
import { defaultedDeploymentSpec, defaultedServiceSpec } from "./api-defaults.ts";
import { compareText } from "../../src/order.ts";

/** An object as the API server has it now, Secrets in base64; or its name, if it is gone. */
export type Change =
  | { readonly type: "seen"; readonly kind: KindId; readonly object: AnyObject }
  | { readonly type: "gone"; readonly kind: KindId; readonly name: Name };

export interface Rendering {
  /** Every config there is, by `NAMESPACE/GATEWAY`, with secrets and certificates as a dataplane gets them. */
  readonly configs: Readonly<Record<string, DataplaneConfig>>;
  readonly statuses: readonly { readonly kind: KindId; readonly name: Name; readonly status: unknown }[];
  readonly objects: readonly KubernetesObject[];
  readonly removals: readonly { readonly kind: string; readonly name: Name }[];
}

/** What stands behind the API server: rendering alone, or a whole operator. */
export interface Renderer {
  changed(changes: readonly Change[]): Rendering | Promise<Rendering>;
  /** Asked to stop, with the exit sequence switched on. */
  stopping(): Rendering | Promise<Rendering>;
}

export interface Target {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

type Json = Record<string, unknown>;
type Stored = AnyObject & { readonly spec?: unknown; readonly status?: unknown };

const MAX_ROUNDS = 20;

/** The scenarios' native name first: `UDPRoute` is STUNner's. */
const kindNamed = (name: string): KindId => {
  const kind = kinds.find((one) => one.id === name) ?? kinds.find((one) => one.kind === name);
  if (kind === undefined) throw new Error(`no kind ${name}`);
  return kind.id;
};

export class Cluster {
  readonly #objects = new Map<ObjectKey, Stored>();
  readonly #changes: Change[] = [];
  #uids = 0;
  configs: Rendering["configs"] = {};

  list(): readonly AnyObject[] {
    return [...this.#objects].toSorted(([a], [b]) => compareText(a, b)).map(([, object]) => object);
  }

  /** A user's server-side apply: what the manifest no longer contains is removed; a `status` in it is merged. */
  apply(manifest: AnyObject): void {
    const kind = kindIdOf(manifest);
    const { status, ...wanted }: Stored = manifest;
    const key = keyOf(kind, nameOfObject(kind, manifest));
    this.#store(key, wanted);
    if (status !== undefined) this.#patch(key, { status });
  }

  delete(target: Target): void {
    this.#remove(this.#key(target));
    this.#collectGarbage();
  }

  mergePatch(target: Target, patch: unknown): void {
    this.#patch(this.#key(target), patch);
  }

  /** Lets the renderer act on what has changed until it wants nothing that is not there already. */
  async settle(renderer: Renderer): Promise<void> {
    for (let round = 0; this.#changes.length > 0; round++) {
      if (round === MAX_ROUNDS) throw new Error("rendering does not settle");
      this.#write(await renderer.changed(this.#changes.splice(0)));
    }
  }

  /** Ends the renderer: nobody acts on what changes from here on, and no config is served. */
  async stop(renderer: Renderer): Promise<void> {
    await this.settle(renderer);
    this.#write(await renderer.stopping());
    this.configs = {};
  }

  #write(rendering: Rendering): void {
    this.configs = rendering.configs;
    for (const object of rendering.objects) this.#applyAsOperator(object);
    for (const { kind, name } of rendering.removals)
      if (kinds.some(({ id }) => id === kind)) this.#remove(keyOf(kind as KindId, name));
    for (const { kind, name, status } of rendering.statuses) {
      const stored = this.#objects.get(keyOf(kind, name));
      if (stored !== undefined) this.#put(keyOf(kind, name), { ...stored, status });
    }
  }

  /** Labels and annotations are added to those of others; what others set in the spec and we do not say stays. */
  #applyAsOperator(wanted: AnyObject): void {
    const kind = kindIdOf(wanted);
    const key = keyOf(kind, nameOfObject(kind, wanted));
    const stored = this.#objects.get(key);
    const metadata = stored?.metadata;
    this.#store(key, {
      ...wanted,
      metadata: {
        ...wanted.metadata,
        labels: { ...metadata?.labels, ...wanted.metadata.labels },
        annotations: { ...metadata?.annotations, ...wanted.metadata.annotations },
      },
    });
  }

  #store(key: ObjectKey, wanted: Stored): void {
    const { kind } = splitKey(key);
    const stored = this.#objects.get(key);
    const defaulted = this.#defaulted(kind, wanted, stored);
    const isSameSpec = isDeepStrictEqual(defaulted.spec, stored?.spec);
    const generation = (stored?.metadata.generation ?? 0) + (stored !== undefined && isSameSpec ? 0 : 1);
    const status = stored?.status ?? defaulted.status;
    this.#put(key, {
      ...defaulted,
      ...(status === undefined ? {} : { status }),
      metadata: { ...defaulted.metadata, uid: stored?.metadata.uid ?? `uid-${++this.#uids}`, generation },
    });
  }

  #defaulted(kind: KindId, wanted: Stored, stored: Stored | undefined): Stored {
    const spec = (wanted.spec ?? {}) as Json;
    const storedSpec = (stored?.spec ?? {}) as Json;
    if (kind === "Service") return { ...wanted, spec: defaultedServiceSpec(spec, storedSpec, this.#nodePorts()) };
    if (kind === "Deployment") return { ...wanted, spec: defaultedDeploymentSpec(spec, storedSpec) };
    const validated = validate(kindOf(kind), wanted);
    if ("problems" in validated) throw new Error(`${kind}: ${JSON.stringify(validated.problems)}`);
    return validated.object;
  }

  #nodePorts(): readonly number[] {
    return this.list()
      .filter((object) => object.kind === "Service")
      .flatMap((object) => ((object as Stored).spec as { ports?: readonly { nodePort?: number }[] }).ports ?? [])
      .flatMap(({ nodePort }) => (nodePort === undefined ? [] : [nodePort]));
  }

  #patch(key: ObjectKey, patch: unknown): void {
    const stored = this.#objects.get(key);
    if (stored === undefined) throw new Error(`${key} not found`);
    const { status, ...rest } = mergePatched(stored, patch) as Stored;
    this.#store(key, rest);
    const kept = this.#objects.get(key);
    if (status !== undefined && kept !== undefined) this.#put(key, { ...kept, status });
  }

  #put(key: ObjectKey, object: Stored): void {
    if (isDeepStrictEqual(this.#objects.get(key), object)) return;
    this.#objects.set(key, object);
    this.#changes.push({ type: "seen", kind: splitKey(key).kind, object });
  }

  #remove(key: ObjectKey): void {
    if (this.#objects.delete(key)) this.#changes.push({ type: "gone", ...splitKey(key) });
  }

  #collectGarbage(): void {
    const uids = new Set([...this.#objects.values()].map((object) => object.metadata.uid));
    for (const [key, object] of this.#objects) {
      const owners = object.metadata.ownerReferences ?? [];
      if (owners.length > 0 && owners.every((owner) => !uids.has(owner.uid))) this.#remove(key);
    }
  }

  #key({ kind, namespace, name }: Target): ObjectKey {
    return keyOf(kindNamed(kind), nameOf(namespace, name));
  }
}
