/**
 * Creates and updates the objects that the core wants, by server-side apply with one field manager, and removes those that
 * it no longer wants. Objects of other owners are neither taken over nor removed. Writes that would change nothing are
 * skipped.
 */
import { ApiError, orAbsent, type Api } from "../kubernetes/api.ts";
import { objectPath, type Resource } from "../kubernetes/paths.ts";
import type { KubernetesObject } from "../resources/core.ts";
import { splitName, type Name } from "../resources/keys.ts";
import { FIELD_MANAGER } from "../resources/names.ts";
import type { Kind } from "../resources/kinds.ts";
import { isOurs } from "../resources/ownership.ts";
import { covers } from "./covers.ts";
import { isAutoscaled, isOwned, ownKeys, ownsMore, type Stored } from "./owned.ts";
import { withoutFields } from "./status-fields.ts";
import { replacementsOf } from "./strays.ts";

export type Applied = "created" | "updated" | "unchanged" | "removed" | "absent" | "foreign";

/** No object has this version, so an apply with it creates a new object, or conflicts with an existing one. */
const NO_VERSION = "1";
const LOOKS = 2;
const APPLY = "application/apply-patch+yaml";
/** A list of ports must be exact; a list of containers may contain injected sidecars. */
const EXACT = new Set(["ports"]);

const find = (api: Api, path: string): Promise<Stored | undefined> => api.json<Stored>({ path }).catch(orAbsent);

type Scaled = KubernetesObject & { readonly spec?: { readonly replicas?: number } };

/** If omitted, replicas that we once set would fall back to one. */
const withReplicas = (object: KubernetesObject, present: Stored): Scaled => {
  const { spec } = object as Scaled;
  const { replicas } = (present as Scaled).spec ?? {};
  return spec === undefined ||
    spec.replicas !== undefined ||
    replicas === undefined ||
    !isOwned(present, "spec", "replicas")
    ? object
    : { ...object, spec: { ...spec, replicas } };
};

/** What remains to be applied if an autoscaler decides how many replicas there are. */
const withoutReplicas = (object: KubernetesObject): Scaled => {
  const { spec, ...rest } = object as Scaled;
  if (spec === undefined) return object;
  const { replicas: _, ...others } = spec;
  return { ...rest, spec: others };
};

/** A label or annotation that was once copied from a Gateway stays, as in STUNner: metadata is only added to. */
const withEarlier = (object: KubernetesObject, present: Stored): KubernetesObject => {
  const keep = (map: "labels" | "annotations") => ({
    ...Object.fromEntries(
      ownKeys(present, map).flatMap((key) =>
        present.metadata[map]?.[key] === undefined ? [] : [[key, present.metadata[map][key]]],
      ),
    ),
    ...object.metadata[map],
  });
  // With its uid the API server rejects the removal of a newer object of this name.
  const { uid } = present.metadata;
  return {
    ...withReplicas(object, present),
    metadata: {
      ...object.metadata,
      ...(uid === undefined ? {} : { uid }),
      labels: keep("labels"),
      annotations: keep("annotations"),
    },
  };
};

/** Removes from our lists the items that others added. @returns whether there were any. */
const dropStrays = async (api: Api, path: string, present: Stored, wanted: KubernetesObject): Promise<boolean> => {
  const replacements = replacementsOf(present, wanted, EXACT);
  if (replacements.length === 0) return false;
  const { resourceVersion } = present.metadata;
  await api.json({
    method: "PATCH",
    path,
    query: { fieldManager: FIELD_MANAGER },
    contentType: "application/json-patch+json",
    body: [{ op: "test", path: "/metadata/resourceVersion", value: resourceVersion }, ...replacements],
  });
  return true;
};

const asNew = (object: KubernetesObject): KubernetesObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: NO_VERSION },
});

/** Another writer was faster: an object now exists, or was replaced. */
const isAnother = (error: unknown): boolean =>
  error instanceof ApiError &&
  (error.status === 409 || (error.status === 422 && error.message.includes("metadata.uid")));

/**
 * @param observed the object as last watched; saves a read if nothing needs to be done. Only if `desired` was applied
 * before: the watched object does not show which of its fields we applied and no longer want.
 */
export const applyObject = async (
  api: Api,
  kind: Resource,
  name: Name,
  desired: KubernetesObject,
  observed?: KubernetesObject,
): Promise<Applied> => {
  const version = kind.versions[0] ?? "v1";
  const path = objectPath(kind, version, name);
  if (observed !== undefined && isOurs(observed) && covers(observed, desired, EXACT)) return "unchanged";
  const apply = (body: KubernetesObject): Promise<Stored> =>
    api.json({
      method: "PATCH",
      path,
      query: { fieldManager: FIELD_MANAGER, force: true },
      contentType: APPLY,
      body,
    });
  for (let look = 1; ; look += 1) {
    const present = await find(api, path);
    if (present !== undefined && !isOurs(present)) return "foreign";
    const wanted = present !== undefined && isAutoscaled(present) ? withoutReplicas(desired) : desired;
    if (present !== undefined && covers(present, wanted, EXACT) && !ownsMore(present, wanted)) return "unchanged";
    try {
      const body = present === undefined ? asNew(wanted) : withEarlier(wanted, present);
      const applied = await apply(body).catch(async (error: unknown) => {
        // A port of another owner may have the name of one of ours.
        if (!(error instanceof ApiError) || error.status !== 422 || present === undefined) throw error;
        if (!(await dropStrays(api, path, present, wanted).catch(() => false))) throw error;
        return apply(body);
      });
      await dropStrays(api, path, applied, wanted);
      return present === undefined ? "created" : "updated";
    } catch (error) {
      // Another read determines its current owner.
      if (!isAnother(error) || look === LOOKS) throw error;
    }
  }
};

/** Removes an object if it is ours, and only in the version that was read. */
export const removeObject = async (api: Api, kind: Resource, name: Name): Promise<Applied> => {
  const path = objectPath(kind, kind.versions[0] ?? "v1", name);
  const present = await find(api, path);
  if (present === undefined) return "absent";
  if (!isOurs(present)) return "foreign";
  const { uid, resourceVersion } = present.metadata;
  await api.json({
    method: "DELETE",
    path,
    body: {
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: "Background",
      preconditions: { uid, resourceVersion },
    },
  });
  return "removed";
};

const INVALID = 422;

/** Optional fields of a status, for servers that do not name the field that they reject. */
const DISPENSABLE = ["status.addresses"] as const;

/** Writes a status. If the object was removed meanwhile, nothing needs to be written. */
const patchStatus = async (
  api: Api,
  kind: Kind,
  version: string,
  name: Name,
  apiVersion: string,
  status: unknown,
): Promise<Applied> => {
  const { namespace, name: short } = splitName(name);
  const metadata = { ...(namespace !== "" && { namespace }), name: short };
  try {
    await api.json({
      method: "PATCH",
      path: objectPath(kind, version, name, "status"),
      query: { fieldManager: FIELD_MANAGER, force: true },
      contentType: APPLY,
      body: { apiVersion, kind: kind.kind, metadata, status },
    });
    return "updated";
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return "absent";
    throw error;
  }
};

/**
 * Writes a status. One field that the API server rejects does not prevent the rest from being written: the status is then
 * written without it.
 * @throws ApiError also in that case: the rejection is recorded, and the write is retried.
 */
export const applyStatus = async (
  ...[api, kind, version, name, apiVersion, status]: Parameters<typeof patchStatus>
) => {
  try {
    return await patchStatus(api, kind, version, name, apiVersion, status);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== INVALID) throw error;
    const refused = error.fields.filter((field) => field.startsWith("status."));
    const rest = withoutFields(status, refused.length > 0 ? refused : DISPENSABLE);
    if (rest === undefined) throw error;
    await patchStatus(api, kind, version, name, apiVersion, rest);
    throw error;
  }
};
