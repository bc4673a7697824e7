/** Who may allocate: static, ephemeral, or nobody. */
import type { AuthConfig } from "../../resources/dataplane-config.ts";
import { ephemeralPassword, expiryOf, userIdOf } from "./ephemeral.ts";

export interface Credential {
  readonly userId: string;
  readonly password: string;
}

export interface AuthPolicy {
  readonly type: AuthConfig["type"];
  readonly realm: string;
  /** The credential that `username` stands for at `now` (milliseconds since the epoch); `undefined` for an unknown or expired user. */
  credential(username: string, now: number): Credential | undefined;
}

export const createAuthPolicy = ({ type, realm, credentials }: AuthConfig): AuthPolicy => {
  switch (type) {
    case "static": {
      const { username: known, password = "" } = credentials;
      return {
        type,
        realm,
        credential: (username) => (username === known ? { userId: username, password } : undefined),
      };
    }
    case "ephemeral": {
      const { secret = "" } = credentials;
      return {
        type,
        realm,
        credential: (username, now) => {
          const expiry = expiryOf(username);
          if (expiry === undefined || expiry < Math.floor(now / 1000)) return undefined;
          return { userId: userIdOf(username), password: ephemeralPassword(secret, username) };
        },
      };
    }
    case "none":
      return { type, realm, credential: () => undefined };
    default:
      return type satisfies never;
  }
};
