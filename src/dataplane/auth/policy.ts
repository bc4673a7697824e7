/** Who may allocate: static credentials, ephemeral credentials, or no client. */
import type { AuthConfig } from "../../resources/dataplane-config.ts";
import { isFurther } from "../../resources/names.ts";
import { ephemeralPassword, timeWindowOf } from "../../stun/ephemeral.ts";

export interface Credential {
  /** The user; absent if the credentials name none. */
  readonly user?: string;
  readonly password: string;
}

export interface AuthPolicy {
  readonly type: AuthConfig["type"];
  readonly realm: string;
  /**
   * The valid credentials of `username` at `now` (milliseconds since the epoch), the current one first; empty for an
   * unknown or expired user. There are several during a rotation of secrets.
   */
  credentials(username: string, now: number): readonly Credential[];
}

/** The value of `key`, then those of `key.NAME`. */
const valuesOf = (credentials: AuthConfig["credentials"], key: "secret" | "password"): readonly string[] => [
  credentials[key] ?? "",
  ...Object.entries(credentials).flatMap(([name, value]) => (isFurther(key, name) ? [value] : [])),
];

export const createAuthPolicy = ({ type, realm, credentials }: AuthConfig): AuthPolicy => {
  switch (type) {
    case "static": {
      const { username: user = "" } = credentials;
      const known = valuesOf(credentials, "password").map((password) => ({ user, password }));
      return { type, realm, credentials: (username) => (username === user ? known : []) };
    }
    case "ephemeral": {
      const secrets = valuesOf(credentials, "secret");
      return {
        type,
        realm,
        credentials(username, now) {
          const window = timeWindowOf(username);
          if (window === undefined || window.expiry < Math.floor(now / 1000)) return [];
          const { user } = window;
          return secrets.map((secret) => ({
            ...(user === undefined ? {} : { user }),
            password: ephemeralPassword(secret, username),
          }));
        },
      };
    }
    case "none":
      return { type, realm, credentials: () => [] };
    default:
      return type satisfies never;
  }
};
