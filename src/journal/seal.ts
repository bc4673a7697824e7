/** How secrets are replaced by digests, and which values of credentials are not secret. */
/** What secrets are replaced by, and when that is. */
export interface Seal {
  /** Takes a secret that effects will ask for, and returns its digest; an empty one stays empty. */
  put(value: Buffer): string;
  /** Of a text that is only compared. */
  digestOf(text: string): string;
  /** Milliseconds since 1970: when a Secret is seen decides whether its certificate is valid. */
  readonly nowMs: number;
}

/** Data keys of a Secret that rules read and that are not secret. */
export const PLAIN_KEYS: ReadonlySet<string> = new Set(["type", "username"]);

/** A value that is not a text has a digest too: the schema is not checked here. */
export const bytesOf = (value: unknown): Buffer =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
