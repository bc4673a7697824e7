/** Who may allocate: static, ephemeral, or nobody. */
import type { AuthConfig } from "../../resources/dataplane-config.ts";
import { ephemeralPassword, timeWindowOf } from "../../stun/ephemeral.ts";

export interface Credential {
  /** Whose they are; absent where they name nobody. */
  readonly user?: string;
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
        credential: (username) => (username === known ? { user: username, password } : undefined),
      };
    }
    case "ephemeral": {
      const { secret = "" } = credentials;
      return {
        type,
        realm,
        credential: (username, now) => {
          const window = timeWindowOf(username);
          if (window === undefined || window.expiry < Math.floor(now / 1000)) return undefined;
          const { user } = window;
          return { ...(user === undefined ? {} : { user }), password: ephemeralPassword(secret, username) };
        },
      };
    }
    case "none":
      return { type, realm, credential: () => undefined };
    default:
      return type satisfies never;
  }
};
