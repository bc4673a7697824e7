/** The objects of a test in a cluster: created, waited for, removed. */
import { setTimeout as after } from "node:timers/promises";
import { TurnpikeError } from "../errors.ts";
import { ApiError, orAbsent, type Api } from "../kubernetes/api.ts";
import { objectPath, type Resource } from "../kubernetes/paths.ts";
import { nameOf } from "../resources/keys.ts";
import { findKind } from "../resources/kinds.ts";
import type { ClusterObject } from "./objects.ts";

type ObjectReference = Pick<ClusterObject, "apiVersion" | "kind" | "metadata">;

/** The only kind of a test's objects that the operator does not use. */
const POD: Resource = { group: "", versions: ["v1"], plural: "pods", namespaced: true };

const pathOf = ({ apiVersion, kind, metadata: { namespace, name } }: ObjectReference): string => {
  const resource = kind === "Pod" ? POD : findKind(apiVersion, kind);
  if (resource === undefined) throw new Error(`nobody knows ${kind} of ${apiVersion}`);
  return objectPath(resource, apiVersion.split("/").at(-1) ?? "", nameOf(namespace, name));
};

/** @returns undefined if it does not exist. @throws ApiError. */
export const read = <T>(api: Api, object: ObjectReference): Promise<T | undefined> =>
  api.json<T>({ path: pathOf(object) }).catch(orAbsent);

/** A new namespace has no service account yet, and accepts no pod without one. */
const ACCOUNT_MS = 10_000;
const lacksAccount = (error: unknown): error is ApiError =>
  error instanceof ApiError && error.status === 403 && error.message.includes("serviceaccount");

/** @throws ApiError; TurnpikeError `icetest-failed`. */
export const apply = (api: Api, object: ClusterObject): Promise<object> =>
  until(`${object.kind} ${object.metadata.name}`, ACCOUNT_MS, async () => {
    try {
      return await api.json<object>({
        method: "PATCH",
        path: pathOf(object),
        query: { fieldManager: "turnpike-icetest", force: true },
        contentType: "application/apply-patch+yaml",
        body: object,
      });
    } catch (error) {
      if (lacksAccount(error)) return error.message;
      throw error;
    }
  });

/** A missing object counts as removed. @throws ApiError. */
export const remove = async (api: Api, object: ClusterObject): Promise<void> => {
  const body = { propagationPolicy: "Background" };
  await api.json({ method: "DELETE", path: pathOf(object), body }).catch(orAbsent);
};

const LOOK_MS = 250;

/**
 * Polls until there is an answer.
 * @param look returns a text if there is none yet: the reason.
 * @throws TurnpikeError `icetest-failed` if it takes longer than `limitMs`, with the last reason.
 */
export const until = async <T extends object>(
  what: string,
  limitMs: number,
  look: () => Promise<T | string>,
): Promise<T> => {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (typeof found === "object") return found;
    if (performance.now() > end)
      throw new TurnpikeError("icetest-failed", `${what} took longer than ${limitMs / 1000} s: ${found}`);
    await after(LOOK_MS);
  }
};
