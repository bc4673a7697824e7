/**
 * Keeps secrets out of the log and out of the core. On input, each password, shared secret and key is replaced by a keyed
 * digest, `vault:…`; on output, effects ask for the value of the digest. The key is generated for each run and never leaves
 * the process, so digests in a log reveal only "same" or "different" within that run.
 */
import { randomBytes } from "node:crypto";
import { wallMs } from "../clock.ts";
import type { KubernetesObject } from "../resources/core.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { keyOf, nameOfObject, type ObjectKey } from "../resources/keys.ts";
import type { AnyObject, KindId } from "../resources/kinds.ts";
import { revealConfig } from "./config-secrets.ts";
import { revealEnvironment } from "./environment.ts";
import { mayHoldSecrets, redactObject } from "./redact.ts";
import { createSecrets } from "./secrets.ts";

export interface Vault {
  /** `object` as the core may see it. The `data` of a Secret is in base64, its `stringData` is not. */
  redact(kind: KindId, object: AnyObject): AnyObject;
  /** Deletes the values that a removed object had stored. */
  forget(object: ObjectKey): void;
  /** Keeps the values of these digests, even if they are no longer in any object, until the next call. */
  hold(digests: ReadonlySet<string>): void;
  /**
   * A config with values in place of digests: certificates and keys in base64, the rest as text.
   * @throws TurnpikeError `secret-unknown` for a digest without a value.
   */
  reveal(config: DataplaneConfig): DataplaneConfig;
  /**
   * An object to write, with the values of its containers' environment.
   * @throws TurnpikeError `secret-unknown` for a digest without a value.
   */
  revealObject<T extends KubernetesObject>(object: T): T;
  /** `text` with the secrets in it removed: error messages of other programs may quote them. */
  scrub(text: string): string;
  readonly size: number;
}

/** @param now in ms since 1970. */
export const createVault = (key: Buffer = randomBytes(32), now: () => number = wallMs): Vault => {
  const secrets = createSecrets(key);
  return {
    redact(kind, object) {
      const digests: string[] = [];
      const put = (value: Buffer): string => {
        const digest = secrets.put(value);
        if (digest !== "") digests.push(digest);
        return digest;
      };
      const redacted = redactObject(kind, object, { put, digestOf: secrets.digestOf, nowMs: now() });
      if (mayHoldSecrets(kind)) secrets.keep(keyOf(kind, nameOfObject(kind, object)), digests);
      return redacted;
    },
    forget: (object) => secrets.keep(object, []),
    hold: secrets.hold,
    reveal: (config) => revealConfig(config, secrets),
    revealObject: (object) => revealEnvironment(object, secrets),
    scrub: secrets.scrub,
    get size() {
      return secrets.size;
    },
  };
};
