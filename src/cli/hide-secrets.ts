/** Configs and statuses without their credentials, for display. */
import type { CertificateConfig, DataplaneConfig } from "../resources/dataplane-config.ts";

const HIDDEN = "********";
/** Credentials that are not secret. */
const SHOWN: ReadonlySet<string> = new Set(["username"]);

const hideCredentials = (credentials: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(credentials).map(([name, value]) => [name, SHOWN.has(name) || value === "" ? value : HIDDEN]),
  );

interface WithSecrets {
  readonly auth?: { readonly credentials?: Readonly<Record<string, string>> };
  readonly listeners?: readonly {
    readonly cert?: string;
    readonly key?: string;
    readonly certificates?: readonly CertificateConfig[];
  }[];
}

/** Of a config, or of a dataplane's `/status`, which has the same fields. */
export const hideSecrets = <T extends WithSecrets | DataplaneConfig>(config: T): T => ({
  ...config,
  ...(config.auth === undefined
    ? {}
    : { auth: { ...config.auth, credentials: hideCredentials(config.auth.credentials ?? {}) } }),
  ...(config.listeners === undefined
    ? {}
    : {
        listeners: config.listeners.map((listener) => ({
          ...listener,
          ...(listener.cert ? { cert: HIDDEN } : {}),
          ...(listener.key ? { key: HIDDEN } : {}),
          ...(listener.certificates === undefined
            ? {}
            : { certificates: listener.certificates.map(() => ({ cert: HIDDEN, key: HIDDEN })) }),
        })),
      }),
});
