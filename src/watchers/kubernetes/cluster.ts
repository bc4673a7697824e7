/** A cluster as a source of facts: a list and watch for each kind, merged into one. */
import { defer, EMPTY, merge, Observable, of } from "rxjs";
import { catchError, ignoreElements, map } from "rxjs/operators";
import { ApiError, type Api } from "../../kubernetes/api.ts";
import { collectionPath } from "../../kubernetes/paths.ts";
import { nameOfObject, keyOf, type ObjectKey } from "../../resources/keys.ts";
import { kinds, type AnyObject, type Kind, type KindId } from "../../resources/kinds.ts";
import { GATEWAY_API_GROUP, LEGACY_CONFIG_MAP } from "../../resources/names.ts";
import type { Source, WatchEvent } from "../source.ts";
import { listWatch, type ListWatchEvent, type ListWatchOptions } from "./list-watch.ts";
import { createRecovery } from "./recovery.ts";
import { reduce } from "./reduce.ts";

export interface ClusterOptions {
  /** The API that pod addresses come from; the other is not watched. */
  readonly endpointSource: "EndpointSlice" | "Endpoints";
  /** Whether configs are in ConfigMaps, and dataplanes are user-managed. */
  readonly legacy?: boolean;
  /** Namespaces in which namespaced objects are watched; all namespaces if absent. */
  readonly namespaces?: readonly string[] | undefined;
  readonly listWatch?: Omit<Partial<ListWatchOptions>, "path">;
}

/** Helm releases and tokens are many, large, and never named by a GatewayConfig or listener. */
const SECRET_SELECTOR = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token";

/** Objects that need not be reported. */
const selectors: { readonly [K in KindId]?: string } = {
  Secret: SECRET_SELECTOR,
  ConfigMap: `metadata.name=${LEGACY_CONFIG_MAP}`,
};

const isWatched = ({ id }: Kind, { endpointSource, legacy = false }: ClusterOptions): boolean => {
  if (id === "ConfigMap") return legacy;
  if (id === "Deployment" || id === "DaemonSet" || id === "NetworkPolicy") return !legacy;
  return id !== (endpointSource === "EndpointSlice" ? "Endpoints" : "EndpointSlice");
};

/**
 * Kinds that a role written for STUNner does not include: without ReferenceGrants nothing is granted, and without
 * NetworkPolicies none can be made.
 */
const OPTIONAL: ReadonlySet<KindId> = new Set(["ReferenceGrant", "NetworkPolicy"]);

/** Versions that are watched separately: a CRD may serve one, the other, or both. */
const versionsOf = ({ group, versions }: Kind): readonly string[] =>
  group === GATEWAY_API_GROUP ? versions : versions.slice(0, 1);

/**
 * Reports `absent` at once if we may not read `path`, so that a start does not wait for it. `listWatch` reports the same as
 * lost, and continues to try.
 */
const absentIfForbidden = (api: Api, path: string): Observable<readonly ListWatchEvent[]> =>
  defer(() => api.json({ path, query: { limit: 1 } })).pipe(
    ignoreElements(),
    catchError((error: unknown) =>
      error instanceof ApiError && error.status === 403 ? of([{ event: "absent" } as const]) : EMPTY,
    ),
  );

/** Names the parts of a kind that are watched separately: permissions in single namespaces need one watch each. */
const placesOf = (
  kind: Kind,
  { namespaces }: ClusterOptions,
): readonly { readonly namespace?: string; readonly fieldSelector?: string }[] => {
  const fieldSelector = selectors[kind.id];
  const selector = fieldSelector === undefined ? {} : { fieldSelector };
  if (namespaces === undefined) return [selector];
  if (kind.id === "Namespace") return namespaces.map((name) => ({ fieldSelector: `metadata.name=${name}` }));
  return kind.namespaced ? namespaces.map((namespace) => ({ ...selector, namespace })) : [selector];
};

type Tagged = readonly [stream: string, kind: Kind, version: string, events: readonly ListWatchEvent[]];

export const watchCluster = (api: Api, options: ClusterOptions): Source =>
  new Observable((subscriber) => {
    const waiting = new Set<string>();
    const recovery = createRecovery();
    const streams = kinds
      .filter((kind) => isWatched(kind, options))
      .flatMap((kind) =>
        versionsOf(kind).flatMap((version) =>
          placesOf(kind, options).map(({ namespace, ...selector }): Observable<Tagged> => {
            const place = namespace ?? (kind.id === "Namespace" ? selector.fieldSelector : undefined);
            const stream = `${kind.id} ${version}${place === undefined ? "" : ` ${place}`}`;
            waiting.add(stream);
            const path = collectionPath(kind, version, namespace);
            const events = listWatch(api, { recovery, ...options.listWatch, ...selector, path });
            const all = OPTIONAL.has(kind.id) ? merge(absentIfForbidden(api, path), events) : events;
            return all.pipe(map((events): Tagged => [stream, kind, version, events]));
          }),
        ),
      );
    const lost = new Map<string, string>();
    /** Reported objects, by the versions that have them, and their last text: a reduced object often has not changed. */
    const told = new Map<ObjectKey, { readonly versions: Set<string>; text: string }>();
    let synced = false;

    const seen = (kind: Kind, version: string, object: AnyObject): readonly WatchEvent[] => {
      const whole = {
        ...object,
        apiVersion: kind.group === "" ? version : `${kind.group}/${version}`,
        kind: kind.kind,
      };
      const reduced = reduce(kind.id, whole);
      const key = keyOf(kind.id, nameOfObject(kind.id, reduced));
      const text = JSON.stringify({ ...reduced, apiVersion: "" });
      const before = told.get(key);
      if (before === undefined) told.set(key, { versions: new Set([version]), text });
      else {
        before.versions.add(version);
        if (before.text === text) return [];
        before.text = text;
      }
      return [{ event: "seen", kind: kind.id, object: reduced }];
    };

    const gone = (kind: Kind, version: string, object: AnyObject): readonly WatchEvent[] => {
      const name = nameOfObject(kind.id, object);
      const before = told.get(keyOf(kind.id, name));
      before?.versions.delete(version);
      // The other version of its API still has it.
      if (before === undefined || before.versions.size > 0) return [];
      told.delete(keyOf(kind.id, name));
      return [{ event: "gone", kind: kind.id, name }];
    };

    const translate = ([stream, kind, version, events]: Tagged): readonly WatchEvent[] =>
      events.flatMap((event): readonly WatchEvent[] => {
        switch (event.event) {
          case "seen":
            return seen(kind, version, event.object as unknown as AnyObject);
          case "gone":
            return gone(kind, version, event.object as unknown as AnyObject);
          case "listed":
            waiting.delete(stream);
            return event.first === undefined ? [] : [{ event: "listed", kind: kind.id, version, ...event.first }];
          case "absent":
            waiting.delete(stream);
            return [{ event: "absent", kind: kind.id, version }];
          case "lost":
            lost.set(stream, event.reason);
            return [{ event: "lost", reason: `${stream}: ${event.reason}` }];
          case "restored":
            lost.delete(stream);
            return lost.size === 0 ? [{ event: "restored" }] : [];
          default:
            return event satisfies never;
        }
      });

    const subscription = merge(...streams).subscribe((tagged) => {
      const events = [...translate(tagged)];
      if (!synced && waiting.size === 0) {
        synced = true;
        events.push({ event: "synced", objects: told.size });
      }
      if (events.length > 0) subscriber.next(events);
    });
    return () => subscription.unsubscribe();
  });
