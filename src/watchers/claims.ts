/**
 * Which file each object comes from. An object that moves between files does not disappear in between, and if two files
 * describe one object, the first keeps it.
 */
import { createHash } from "node:crypto";
import { splitName, type ObjectKey } from "../resources/keys.ts";
import type { AnyObject } from "../resources/kinds.ts";
import type { Rejection } from "../journal/fact.ts";
import type { Manifest, Manifests } from "./manifests.ts";
import type { WatchEvent } from "./source.ts";

interface Claim {
  readonly file: string;
  readonly manifest: Pick<Manifest, "kind" | "name">;
  readonly hash: string;
  readonly specHash: string;
  readonly generation: number;
}

export interface Claims {
  /**
   * Updates files to their current content; `undefined` for a removed one. Files in `doubted` seem to be removed, but that
   * is not certain yet: their objects stay, but another file may take them over. Returns what has changed, and the files
   * that must be read again because an object that they also describe is now free.
   */
  update(
    files: ReadonlyMap<string, Manifests | undefined>,
    doubted?: ReadonlyMap<string, Manifests | undefined>,
  ): {
    readonly events: readonly WatchEvent[];
    readonly reread: ReadonlySet<string>;
  };
  /** Whether `next` lacks an object that `file` had. */
  shrinks(file: string, next: Manifests): boolean;
  readonly size: number;
}

const hashOf = (value: unknown): string =>
  createHash("sha1")
    .update(JSON.stringify(value) ?? "")
    .digest("base64");

/** What an API server would have added: the generation counts changes of the spec. */
const withMeta = ({ manifest: { name }, generation }: Claim, object: AnyObject): AnyObject => {
  const { namespace } = splitName(name);
  return {
    ...object,
    metadata: {
      ...object.metadata,
      ...(namespace !== "" && { namespace }),
      uid: `file-${hashOf([object.kind, name]).slice(0, 16)}`,
      generation,
    },
  };
};

/** @param nameOf the name of a file in messages. */
export const createClaims = (nameOf: (file: string) => string): Claims => {
  const claims = new Map<ObjectKey, Claim>();
  const keysOf = new Map<string, Set<ObjectKey>>();
  /** Files that describe an object which another file has. */
  const rivals = new Map<ObjectKey, Set<string>>();
  const told = new Map<string, ReadonlyMap<string, Rejection>>();

  /** New and resolved problems of a file; unchanged ones are not repeated. */
  const retell = (file: string, rejections: readonly Rejection[]): readonly WatchEvent[] => {
    const before = told.get(file) ?? new Map<string, Rejection>();
    const now = new Map(rejections.map((rejection) => [JSON.stringify(rejection), rejection]));
    if (now.size > 0) told.set(file, now);
    else told.delete(file);
    return [
      ...[...before].flatMap(([key, rejection]): WatchEvent[] =>
        now.has(key) ? [] : [{ event: "corrected", rejection }],
      ),
      ...[...now].flatMap(([key, rejection]): WatchEvent[] =>
        before.has(key) ? [] : [{ event: "rejected", rejection }],
      ),
    ];
  };

  const claim = (file: string, { key, kind, name, object }: Manifest): WatchEvent | undefined => {
    const before = claims.get(key);
    const hash = hashOf(object);
    const specHash = hashOf("spec" in object ? object.spec : undefined);
    const generation = (before?.generation ?? 0) + (before?.specHash === specHash ? 0 : 1);
    const next: Claim = { file, manifest: { kind, name }, hash, specHash, generation };
    claims.set(key, next);
    return before?.hash === hash ? undefined : { event: "seen", kind, object: withMeta(next, object) };
  };

  return {
    update(files, doubted = new Map()) {
      const isLeaving = (key: ObjectKey, holder: string): boolean => {
        const next = doubted.get(holder);
        return (
          doubted.has(holder) &&
          (next === undefined || (!next.broken && !next.manifests.some((one) => one.key === key)))
        );
      };

      const events: WatchEvent[] = [];
      const released = new Set<ObjectKey>();
      const reread = new Set<string>();

      for (const [file, next] of files) {
        const held = keysOf.get(file) ?? new Set<ObjectKey>();
        const described = new Set(next?.manifests.map(({ key }) => key));
        for (const key of held) {
          const stays = next !== undefined && (described.has(key) || next.broken || next.refused.has(key));
          if (stays) continue;
          held.delete(key);
          released.add(key);
        }
        if (next === undefined) {
          keysOf.delete(file);
          events.push(...retell(file, []));
        } else keysOf.set(file, held);
        for (const [key, rivalFiles] of rivals) if (!described.has(key)) rivalFiles.delete(file);
      }

      for (const [file, next] of files) {
        if (next === undefined) continue;
        const rejections = [...next.rejections];
        for (const manifest of next.manifests) {
          const holder = claims.get(manifest.key)?.file;
          if (
            holder !== undefined &&
            holder !== file &&
            !released.has(manifest.key) &&
            !isLeaving(manifest.key, holder)
          ) {
            rivals.set(manifest.key, (rivals.get(manifest.key) ?? new Set()).add(file));
            const reason = `is also in ${nameOf(holder)}, which is used`;
            rejections.push({
              code: "manifest-duplicate",
              file: nameOf(file),
              line: manifest.line,
              object: manifest.key,
              field: "",
              reason,
            });
            continue;
          }
          released.delete(manifest.key);
          if (holder !== undefined && holder !== file) keysOf.get(holder)?.delete(manifest.key);
          keysOf.get(file)?.add(manifest.key);
          rivals.get(manifest.key)?.delete(file);
          const event = claim(file, manifest);
          if (event !== undefined) events.push(event);
        }
        events.push(...retell(file, rejections));
      }

      for (const key of released) {
        const heirs = rivals.get(key);
        if (heirs !== undefined && heirs.size > 0) {
          for (const file of heirs) reread.add(file);
          // Still listed, without an owner, until a file that takes it over is read.
          const orphan = claims.get(key);
          if (orphan !== undefined) claims.set(key, { ...orphan, file: [...heirs][0] ?? orphan.file });
          continue;
        }
        const gone = claims.get(key);
        claims.delete(key);
        rivals.delete(key);
        if (gone !== undefined) events.push({ event: "gone", ...gone.manifest });
      }
      return { events, reread };
    },
    shrinks: (file, next) => {
      if (next.broken) return true;
      const described = new Set(next.manifests.map(({ key }) => key));
      return [...(keysOf.get(file) ?? [])].some((key) => !described.has(key));
    },
    get size() {
      return claims.size;
    },
  };
};
