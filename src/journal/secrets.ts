/** Secrets in memory, known by their keyed digests, for as long as an object or a listener needs them. */
import { createHmac, createSecretKey } from "node:crypto";
import { TurnpikeError } from "../errors.ts";
import type { ObjectKey } from "../resources/keys.ts";

const PREFIX = "vault:";
/** Bytes: nobody's secret is shorter, and without all that is short a text would say nothing. */
const MIN_SECRET = 6;

export interface Secrets {
  /** `vault:…`: the same for the same value of one run. */
  digestOf(value: string | Buffer): string;
  /** The digest of `value`, which is stored until the objects that have it are gone; an empty value stays empty. */
  put(value: Buffer): string;
  /** The digests that `object` has from now on; values that only it had are deleted. */
  keep(object: ObjectKey, digests: readonly string[]): void;
  /** Keeps the values of these digests, also when they are no longer in any object, until it is called with others. */
  hold(digests: ReadonlySet<string>): void;
  /**
   * The value of `digest`; what is not a digest as it is.
   * @param what the digest is of, for the message.
   * @throws TurnpikeError `secret-unknown` for a digest whose value is not there.
   */
  valueOf(digest: string, encoding: "utf8" | "base64", what: string): string;
  /** `text` without the secrets that it quotes. */
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
