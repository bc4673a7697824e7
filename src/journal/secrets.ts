/** Secrets in memory, by their keyed digests, while an object or a listener needs them. */
import { createHmac, createSecretKey } from "node:crypto";
import { TurnpikeError } from "../errors.ts";
import type { ObjectKey } from "../resources/keys.ts";

const PREFIX = "vault:";
/** Minimum length in bytes to redact: no secret is shorter, and without all short values a text would be unreadable. */
const MIN_SECRET = 6;

export interface Secrets {
  /** `vault:…`: the same for the same value within one run. */
  digestOf(value: string | Buffer): string;
  /** The digest of `value`, which is stored until no object has it; an empty value stays empty. */
  put(value: Buffer): string;
  /** Sets the digests of `object`; values that only it had are deleted. */
  keep(object: ObjectKey, digests: readonly string[]): void;
  /** Keeps the values of these digests, even if they are no longer in any object, until the next call. */
  hold(digests: ReadonlySet<string>): void;
  /**
   * The value of `digest`; a text that is not a digest is returned unchanged.
   * @param what the digest is of, for the message.
   * @throws TurnpikeError `secret-unknown` for a digest without a value.
   */
  valueOf(digest: string, encoding: "utf8" | "base64", what: string): string;
  /** `text` with the secrets in it removed. */
  scrub(text: string): string;
  readonly size: number;
}

export const createSecrets = (key: Buffer): Secrets => {
  const digestKey = createSecretKey(key);
  const values = new Map<string, Buffer>();
  const stored = new Map<ObjectKey, readonly string[]>();
  let held: ReadonlySet<string> = new Set();

  const digestOf = (value: string | Buffer): string =>
    PREFIX + createHmac("sha256", digestKey).update(value).digest("base64url").slice(0, 22);

  /** Deletes the values of those of `digests` that nothing needs. */
  const release = (digests: readonly string[]): void => {
    if (digests.length === 0) return;
    const inUse = new Set([...stored.values()].flat());
    for (const digest of digests) if (!inUse.has(digest) && !held.has(digest)) values.delete(digest);
  };

  return {
    digestOf,
    put(value) {
      if (value.length === 0) return "";
      const digest = digestOf(value);
      values.set(digest, value);
      return digest;
    },
    keep(object, digests) {
      const before = stored.get(object) ?? [];
      if (digests.length > 0) stored.set(object, digests);
      else stored.delete(object);
      release(before);
    },
    hold(digests) {
      if (digests === held) return;
      const before = held;
      held = digests;
      release([...before].filter((digest) => !digests.has(digest)));
    },
    valueOf(digest, encoding, what) {
      if (!digest.startsWith(PREFIX)) return digest;
      const value = values.get(digest);
      if (value === undefined) throw new TurnpikeError("secret-unknown", `${what} is no longer in memory`);
      return value.toString(encoding);
    },
    scrub: (text) =>
      [...values.values()]
        .filter(({ length }) => length >= MIN_SECRET)
        .flatMap((value) => [value.toString("utf8"), value.toString("base64")])
        .flatMap((value) => [value, JSON.stringify(value).slice(1, -1)])
        .reduce((rest, value) => rest.replaceAll(value, "…"), text),
    get size() {
      return values.size;
    },
  };
};
