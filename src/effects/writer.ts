/** Writes the desired state of one object or status, whatever the current state. */
import type { Core } from "../core/core.ts";
import { encodeConfig } from "../discovery/protocol.ts";
import { digest } from "../journal/digest.ts";
import type { Vault } from "../journal/vault.ts";
import type { Api } from "../kubernetes/api.ts";
import type { KubernetesObject } from "../resources/core.ts";
import { splitKey, type Name, type ObjectKey } from "../resources/keys.ts";
import { kindOf, type MadeKind } from "../resources/kinds.ts";
import { LEGACY_CONFIG_KEY } from "../resources/names.ts";
import { covers } from "./covers.ts";
import { applyObject, applyStatus, removeObject, type Applied } from "./objects.ts";
import type { OutputId } from "../core/output-id.ts";

/** `KIND NAME` of a generated object, or `status KIND/NAME`. */
export type WriteKey = `${MadeKind | "ConfigMap" | "status"} ${string}`;

export interface WriterOptions {
  readonly api: Api;
  readonly core: Core;
  /** Has the values for the core's digests. */
  readonly vault: Pick<Vault, "reveal" | "revealObject">;
  /** Removed outputs: their objects must be removed. */
  readonly withdrawn: ReadonlySet<string>;
}

/** Lists of a status that only we write; conditions of other types may belong to others. */
const WHOLE: ReadonlySet<string> = new Set(["addresses", "listeners", "parents", "supportedKinds"]);

export const objectsOutput = (gateway: Name): OutputId => `objects ${gateway}`;
export const configMapOutput = (name: Name): OutputId => `configmap ${name}`;

const withData = (object: KubernetesObject, text: string): KubernetesObject & { readonly data: unknown } => ({
  ...object,
  data: { [LEGACY_CONFIG_KEY]: text },
});

export const splitWriteKey = (
  key: WriteKey,
): { readonly what: MadeKind | "ConfigMap" | "status"; readonly name: string } => {
  const space = key.indexOf(" ");
  return { what: key.slice(0, space) as MadeKind | "ConfigMap" | "status", name: key.slice(space + 1) };
};

/** The function performs a write and returns what it did. @throws ApiError */
export const createWriter = ({ api, core, vault, withdrawn }: WriterOptions): ((key: WriteKey) => Promise<Applied>) => {
  /** Digests of the desired state when an object last matched it. */
  const applied = new Map<WriteKey, string>();

  const writeObject = async (kind: MadeKind, name: Name): Promise<Applied> => {
    const key: WriteKey = `${kind} ${name}`;
    const gateway = core.rendered(name);
    const wanted = gateway?.objects.find((object) => object.kind === kind);
    const observed = core.view.get(kind, name);
    if (wanted !== undefined) {
      const text = digest(JSON.stringify(wanted));
      const known = applied.get(key) === text ? observed && vault.revealObject(observed) : undefined;
      const outcome = await applyObject(api, kindOf(kind), name, vault.revealObject(wanted), known);
      applied.set(key, text);
      return outcome;
    }
    applied.delete(key);
    // Only objects that a rendering has withdrawn are removed: an object that is not rendered yet is not.
    const isUnwanted =
      gateway === undefined
        ? withdrawn.has(objectsOutput(name))
        : gateway.removals.some((removal) => removal.kind === kind);
    // The garbage collector removes the objects of a deleted Gateway.
    const mustGo = isUnwanted && core.view.get("Gateway", name) !== undefined;
    // An object that we have just created is handled again when it is watched; during shutdown there is no later time.
    const isThere = observed !== undefined || core.registry.state("operator", "operator") === "finalizing";
    return mustGo && isThere ? removeObject(api, kindOf(kind), name) : "absent";
  };

  const writeConfigMap = async (name: Name): Promise<Applied> => {
    const kind = kindOf("ConfigMap");
    const wanted = core.configMap(name);
    if (wanted === undefined) return withdrawn.has(configMapOutput(name)) ? removeObject(api, kind, name) : "absent";
    const { object, config } = wanted;
    const text = config === undefined ? "" : encodeConfig(vault.reveal(config));
    return applyObject(api, kind, name, withData(object, text));
  };

  const writeStatus = async (key: ObjectKey): Promise<Applied> => {
    const status = core.status(key);
    const { kind, name } = splitKey(key);
    const object = core.view.get(kind, name);
    if (status === undefined || object === undefined) return "absent";
    if ("status" in object && covers(object.status, status, WHOLE)) return "unchanged";
    const version = object.apiVersion.split("/").at(-1) ?? "v1";
    return applyStatus(api, kindOf(kind), version, name, object.apiVersion, status);
  };

  return (key) => {
    const { what, name } = splitWriteKey(key);
    if (what === "status") return writeStatus(name as ObjectKey);
    return what === "ConfigMap" ? writeConfigMap(name as Name) : writeObject(what, name as Name);
  };
};
