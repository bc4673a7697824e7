/** Objects of a directory or of a cluster, and what an operator would render from them; nothing is written. */
import { firstValueFrom } from "rxjs";
import { createCore, type Core } from "../core/core.ts";
import { digest } from "../journal/digest.ts";
import { JOURNAL_VERSION, type Fact, type Rejection } from "../journal/fact.ts";
import { createVault, type Vault } from "../journal/vault.ts";
import { ApiError, type Api } from "../kubernetes/api.ts";
import { collectionPath } from "../kubernetes/paths.ts";
import { release } from "../release.ts";
import { kindOf, kinds, type AnyObject, type Kind, type KindId } from "../resources/kinds.ts";
import { DEFAULT_DATAPLANE } from "../resources/names.ts";
import type { RenderOptions } from "../resources/view.ts";
import { watchDirectory } from "../watchers/directory.ts";
import { TurnpikeError } from "../errors.ts";

export interface World {
  readonly core: Core;
  readonly vault: Vault;
  /** Documents that were rejected. */
  readonly rejections: readonly Rejection[];
  /** The default Dataplane was missing: that of a chart is assumed. */
  readonly isDataplaneAssumed: boolean;
}

/** What a chart installs in addition to the operator. */
const defaultDataplane = {
  apiVersion: "stunner.l7mp.io/v1",
  kind: "Dataplane",
  metadata: { name: DEFAULT_DATAPLANE },
  spec: {},
} as AnyObject;

export interface Seen {
  readonly kind: KindId;
  readonly object: AnyObject;
}

/** A kind that the API server did not list. */
export interface Unlisted {
  readonly kind: KindId;
  readonly message: string;
}

export interface Listed {
  readonly seen: readonly Seen[];
  readonly unlisted: readonly Unlisted[];
}

/** @param assumesDataplane whether the default Dataplane of a chart is assumed to exist. */
export const worldOf = (
  seen: readonly Seen[],
  rejections: readonly Rejection[],
  options: RenderOptions,
  assumesDataplane = true,
): World => {
  const vault = createVault();
  const core = createCore(options, digest);
  let seq = 0;
  const apply = (fact: Fact): void => {
    seq += 1;
    core.apply({ v: JOURNAL_VERSION, seq, time: 0, source: "directory", cause: null, ...fact });
  };
  apply({ type: "operator.started", data: { options: core.options, release } });
  for (const { kind, object } of seen)
    apply({ type: "object.seen", data: { kind, object: vault.redact(kind, object) } });
  const isDataplaneAssumed =
    assumesDataplane &&
    options.mode === "managed" &&
    !seen.some(({ kind, object }) => kind === "Dataplane" && object.metadata.name === DEFAULT_DATAPLANE);
  if (isDataplaneAssumed) apply({ type: "object.seen", data: { kind: "Dataplane", object: defaultDataplane } });
  apply({ type: "objects.synced", data: { objects: seq } });
  if (options.mode === "managed" || options.mode === "legacy") core.registry.send("operator", "operator", "elected");
  core.fold(0);
  return { core, vault, rejections, isDataplaneAssumed };
};

/** @throws the error of reading the directory. */
export const worldOfDirectory = async (directory: string, options: RenderOptions): Promise<World> => {
  const seen: Seen[] = [];
  const rejections: Rejection[] = [];
  for (const event of await firstValueFrom(watchDirectory(directory)))
    if (event.event === "seen") seen.push({ kind: event.kind, object: event.object });
    else if (event.event === "rejected") rejections.push(event.rejection);
  return worldOf(seen, rejections, options);
};

const PAGE = 500;

/** All objects of a kind in the first served version; empty if the kind is unknown. */
const listKind = async (api: Api, kind: Kind): Promise<readonly Seen[] | Unlisted> => {
  for (const version of kind.versions) {
    const seen: Seen[] = [];
    let token: string | undefined;
    try {
      do {
        const page: { readonly metadata?: { readonly continue?: string }; readonly items: readonly AnyObject[] } =
          await api.json({ path: collectionPath(kind, version), query: { limit: PAGE, continue: token } });
        seen.push(...page.items.map((object) => ({ kind: kind.id, object })));
        token = page.metadata?.continue || undefined;
      } while (token !== undefined);
      return seen;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // Only the operator needs to read them.
      if (kind.id === "NetworkPolicy" && error.status === 403) return [];
      if (error.status !== 404) return { kind: kind.id, message: error.message };
    }
  }
  return [];
};

export const listCluster = async (api: Api): Promise<Listed> => {
  const listed = await Promise.all(kinds.map((kind) => listKind(api, kind)));
  return {
    seen: listed.flatMap((one) => ("kind" in one ? [] : one)),
    unlisted: listed.flatMap((one) => ("kind" in one ? [one] : [])),
  };
};

/** @throws TurnpikeError `api-refused`. */
export const worldOfCluster = async (api: Api, options: RenderOptions): Promise<World> => {
  const { seen, unlisted } = await listCluster(api);
  const [first] = unlisted;
  if (first !== undefined)
    throw new TurnpikeError("api-refused", `${kindOf(first.kind).plural} cannot be listed: ${first.message}`);
  return worldOf(seen, [], options);
};

/** In the format of compiler messages. */
export const rejectionLine = ({ file, line, object, field, reason }: Rejection): string =>
  `${file}:${line}: ${[object, field, reason].filter((part) => part !== "").join(": ")}`;
