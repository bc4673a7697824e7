/** How digests replace secrets, and which values of credentials are not secret. */
/** What replaces secrets, and when. */
export interface Seal {
  /** Stores a secret that effects will need, and returns its digest; an empty one stays empty. */
  put(value: Buffer): string;
  /** The digest of a text that is only compared. */
  digestOf(text: string): string;
  /** Milliseconds since 1970: whether a certificate is valid depends on when its Secret is read. */
  readonly nowMs: number;
}

/** Data keys of a Secret that rules read and that are not secret. */
export const PLAIN_KEYS: ReadonlySet<string> = new Set(["type", "username"]);

/** A value that is not a string has a digest too: the schema is not checked here. */
export const bytesOf = (value: unknown): Buffer =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
