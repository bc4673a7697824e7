/**
 * Keeps secrets out of the log and out of the core. On the way in, each password, shared secret and key is replaced by
 * a keyed digest, `vault:…`; on the way out, effects ask for the value behind it. The key is made anew for each run and
 * never leaves the process, so a digest in a log tells nothing but "same" or "different" within that run.
 */
import { createHmac, createPrivateKey, createSecretKey, randomBytes, X509Certificate } from "node:crypto";
import type { ConfigMap, Secret } from "../resources/core.ts";
import { keyOf, nameOfObject, type ObjectKey } from "../resources/keys.ts";
import type { AnyObject, KindId } from "../resources/kinds.ts";
import { LAST_APPLIED_ANNOTATION } from "../resources/names.ts";
import type { DataplaneConfig, ReceivedConfig } from "../resources/dataplane-config.ts";
import type { GatewayConfig } from "../resources/stunner.ts";

export interface Vault {
  /** `object` as the core may see it. A Secret must come as the API has it, its `data` in base64. */
  redact(kind: KindId, object: AnyObject): AnyObject;
  /** Forgets what an object that is gone had stored. */
  forget(object: ObjectKey): void;
  /** A config with values where the core had digests: certificates and keys in base64, the rest as text. */
  reveal(config: DataplaneConfig): DataplaneConfig;
  readonly size: number;
}

const PREFIX = "vault:";
const CERTIFICATE_KEYS = ["tls.crt", "crt", "cert"] as const;
const PRIVATE_KEY_KEYS = ["tls.key", "key"] as const;
/** Data keys of a Secret that rules read and that are not secret. */
const PLAIN_KEYS: ReadonlySet<string> = new Set(["type", "username"]);

const withoutLastApplied = <T extends AnyObject>(object: T): T => {
  const { annotations } = object.metadata;
  if (annotations?.[LAST_APPLIED_ANNOTATION] === undefined) return object;
  // kubectl keeps a copy of the whole manifest there, passwords included.
  const { [LAST_APPLIED_ANNOTATION]: _, ...rest } = annotations;
  return { ...object, metadata: { ...object.metadata, annotations: rest } };
};

const inspectCertificate = (data: ReadonlyMap<string, Buffer>): Secret["certificate"] => {
  const pem = CERTIFICATE_KEYS.map((key) => data.get(key)).find((value) => value !== undefined);
  if (pem === undefined) return undefined;
  try {
    const certificate = new X509Certificate(pem);
    const key = PRIVATE_KEY_KEYS.map((name) => data.get(name)).find((value) => value !== undefined);
    const notAfter = certificate.validToDate.toISOString();
    if (key === undefined) return { parses: true, notAfter };
    return { parses: true, notAfter, matchesKey: certificate.checkPrivateKey(createPrivateKey(key)) };
  } catch {
    // Whatever OpenSSL dislikes about it, the rules only need to know that it cannot be used.
    return { parses: false };
  }
};

export const createVault = (key: Buffer = randomBytes(32)): Vault => {
  const digestKey = createSecretKey(key);
  const values = new Map<string, Buffer>();
  const stored = new Map<ObjectKey, readonly string[]>();

  const digestOf = (value: string | Buffer): string =>
    PREFIX + createHmac("sha256", digestKey).update(value).digest("base64url").slice(0, 22);

  const put = (value: Buffer, digests: string[]): string => {
    if (value.length === 0) return "";
    const digest = digestOf(value);
    values.set(digest, value);
    digests.push(digest);
    return digest;
  };

  const keep = (object: ObjectKey, digests: readonly string[]): void => {
    const before = stored.get(object) ?? [];
    if (digests.length > 0) stored.set(object, digests);
    else stored.delete(object);
    if (before.length === 0) return;
    const inUse = new Set([...stored.values()].flat());
    for (const digest of before) if (!inUse.has(digest)) values.delete(digest);
  };

  const redactSecret = (object: Secret, digests: string[]): Secret => {
    const { data, ...rest } = object;
    const decoded = new Map(Object.entries(data ?? {}).map(([name, value]) => [name, Buffer.from(value, "base64")]));
    const certificate = inspectCertificate(decoded);
    return {
      ...rest,
      data: Object.fromEntries(
        [...decoded].map(([name, value]) => [
          name,
          PLAIN_KEYS.has(name) ? value.toString("utf8") : put(value, digests),
        ]),
      ),
      ...(certificate === undefined ? {} : { certificate }),
    };
  };

  const redactConfig = (object: GatewayConfig, digests: string[]): GatewayConfig => {
    if (object.spec === undefined) return object;
    const { password, sharedSecret, ...rest } = object.spec;
    return {
      ...object,
      spec: {
        ...rest,
        ...(password === undefined ? {} : { password: put(Buffer.from(password), digests) }),
        ...(sharedSecret === undefined ? {} : { sharedSecret: put(Buffer.from(sharedSecret), digests) }),
      },
    };
  };

  const redactReceived = (object: ReceivedConfig, digests: string[]): ReceivedConfig => {
    const { auth, listeners, ...rest } = object.spec;
    const credentials = Object.entries(auth.credentials).map(([name, value]) => [
      name,
      PLAIN_KEYS.has(name) ? value : put(Buffer.from(value), digests),
    ]);
    const material = (base64: string): string => put(Buffer.from(base64, "base64"), digests);
    return {
      ...object,
      spec: {
        ...rest,
        auth: { ...auth, credentials: Object.fromEntries(credentials) },
        ...(listeners === undefined
          ? {}
          : {
              listeners: listeners.map((listener) => ({
                ...listener,
                ...(listener.cert === undefined ? {} : { cert: material(listener.cert) }),
                ...(listener.key === undefined ? {} : { key: material(listener.key) }),
              })),
            }),
      },
    };
  };

  /** Nobody asks for these values again: they are only compared. */
  const redactConfigMap = (object: ConfigMap): ConfigMap => ({
    ...object,
    ...(object.data === undefined
      ? {}
      : { data: Object.fromEntries(Object.entries(object.data).map(([name, text]) => [name, digestOf(text)])) }),
  });

  const valueOf = (digest: string, encoding: "utf8" | "base64"): string =>
    digest.startsWith(PREFIX) ? (values.get(digest)?.toString(encoding) ?? "") : digest;

  return {
    redact(kind, object) {
      if (kind === "ConfigMap") return redactConfigMap(withoutLastApplied(object as ConfigMap));
      if (kind !== "Secret" && kind !== "GatewayConfig" && kind !== "DataplaneConfig") return object;
      const clean = withoutLastApplied(object);
      const digests: string[] = [];
      const redacted =
        kind === "Secret"
          ? redactSecret(clean, digests)
          : kind === "GatewayConfig"
            ? redactConfig(clean as GatewayConfig, digests)
            : redactReceived(clean as ReceivedConfig, digests);
      keep(keyOf(kind, nameOfObject(kind, object)), digests);
      return redacted;
    },
    forget: (object) => keep(object, []),
    reveal: (config) => ({
      ...config,
      auth: {
        ...config.auth,
        credentials: Object.fromEntries(
          Object.entries(config.auth.credentials).map(([name, value]) => [name, valueOf(value, "utf8")]),
        ),
      },
      ...(config.listeners === undefined
        ? {}
        : {
            listeners: config.listeners.map((listener) => ({
              ...listener,
              ...(listener.cert === undefined ? {} : { cert: valueOf(listener.cert, "base64") }),
              ...(listener.key === undefined ? {} : { key: valueOf(listener.key, "base64") }),
            })),
          }),
    }),
    get size() {
      return values.size;
    },
  };
};
