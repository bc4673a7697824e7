/**
 * Keeps secrets out of the log and out of the core. On the way in, each password, shared secret and key is replaced by
 * a keyed digest, `vault:…`; on the way out, effects ask for the value behind it. The key is made anew for each run and
 * never leaves the process, so a digest in a log tells nothing but "same" or "different" within that run.
 */
import { createHmac, createSecretKey, randomBytes } from "node:crypto";
import { wallMs } from "../clock.ts";
import { TurnpikeError } from "../errors.ts";
import type { CertificateState, ConfigMap, KubernetesObject, ObjectMeta, Secret, Workload } from "../resources/core.ts";
import { keyOf, nameOfObject, type ObjectKey } from "../resources/keys.ts";
import type { AnyObject, KindId, KindMap } from "../resources/kinds.ts";
import { LAST_APPLIED_ANNOTATION } from "../resources/names.ts";
import { isOurs } from "../resources/ownership.ts";
import type { DataplaneConfig, ReceivedConfig } from "../resources/dataplane-config.ts";
import type { Dataplane, GatewayConfig } from "../resources/stunner.ts";
import { inspectCertificate } from "./certificate.ts";

export interface Vault {
  /** `object` as the core may see it. The `data` of a Secret is in base64, its `stringData` is not. */
  redact(kind: KindId, object: AnyObject): AnyObject;
  /** Forgets what an object that is gone had stored. */
  forget(object: ObjectKey): void;
  /** Keeps the values of these digests, also when no object has them any more, until it is called with others. */
  hold(digests: ReadonlySet<string>): void;
  /**
   * A config with values where the core had digests: certificates and keys in base64, the rest as text.
   * @throws TurnpikeError `secret-unknown` for a digest whose value the vault does not have.
   */
  reveal(config: DataplaneConfig): DataplaneConfig;
  /**
   * An object to be written, with the values of its containers' environment.
   * @throws TurnpikeError `secret-unknown` for a digest whose value the vault does not have.
   */
  revealObject<T extends KubernetesObject>(object: T): T;
  /** `text` without the secrets that it quotes: what somebody else says of a failure may. */
  scrub(text: string): string;
  readonly size: number;
}

const PREFIX = "vault:";
/** Bytes: nobody's secret is shorter, and without all that is short a text would say nothing. */
const MIN_SECRET = 6;
const CERTIFICATE_KEYS = ["tls.crt", "crt", "cert"] as const;
const PRIVATE_KEY_KEYS = ["tls.key", "key"] as const;
/** Data keys of a Secret that rules read and that are not secret. */
const PLAIN_KEYS: ReadonlySet<string> = new Set(["type", "username"]);

/** Fields of a GatewayConfig that are no secret. Others are not known, and what is in them is not either. */
const SHOWN_FIELDS = [
  "dataplane",
  "realm",
  "authType",
  "userName",
  "authRef",
  "loadBalancerServiceAnnotations",
  "logLevel",
  "userQuota",
  "stunMode",
] as const satisfies readonly (keyof NonNullable<GatewayConfig["spec"]>)[];

const withMetadata = <T extends AnyObject>(object: T, metadata: ObjectMeta): T => ({ ...object, metadata });

const withoutLastApplied = <T extends AnyObject>(object: T): T => {
  const { annotations, ...metadata } = object.metadata;
  if (annotations?.[LAST_APPLIED_ANNOTATION] === undefined) return object;
  // kubectl keeps a copy of the whole manifest there, passwords included.
  const { [LAST_APPLIED_ANNOTATION]: _, ...rest } = annotations;
  return withMetadata(object, { ...metadata, annotations: rest });
};

/** Many a tool keeps a copy of what it applied in an annotation, and no rule reads one of these kinds. */
const withoutAnnotations = <T extends AnyObject>(object: T): T => {
  const { annotations: _, ...metadata } = object.metadata;
  return withMetadata(object, metadata);
};

/** A Secret as somebody wrote it: its schema is the API server's to mind. */
type Written = Omit<Secret, "data"> & {
  readonly data?: Readonly<Record<string, unknown>>;
  readonly stringData?: Readonly<Record<string, unknown>>;
};

const bytesOf = (value: unknown): Buffer => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));

/** An environment variable that has its value in it. */
const isVariable = (one: unknown): one is { readonly name: unknown; readonly value: unknown } =>
  typeof one === "object" && one !== null && "name" in one && "value" in one;

interface PodTemplate {
  readonly template?: { readonly spec?: Readonly<Record<string, unknown>> };
}

/** `object` with the environments of its containers as `change` makes them, where it is made of containers. */
const withEnvironment = <T extends KubernetesObject>(
  object: T,
  change: (env: readonly unknown[]) => readonly unknown[],
): T => {
  const { spec } = object as T & { readonly spec?: PodTemplate };
  const pod = spec?.template?.spec;
  if (pod === undefined) return object;
  const changed = (["containers", "initContainers"] as const).flatMap((list) => {
    const containers = pod[list];
    if (!Array.isArray(containers)) return [];
    const next = containers.map((container: { readonly env?: unknown }) =>
      Array.isArray(container.env) ? { ...container, env: change(container.env) } : container,
    );
    return [[list, next] as const];
  });
  return {
    ...object,
    spec: { ...spec, template: { ...spec?.template, spec: { ...pod, ...Object.fromEntries(changed) } } },
  };
};

const valueOfAny = (data: ReadonlyMap<string, Buffer>, keys: readonly string[]): Buffer | undefined =>
  keys.map((key) => data.get(key)).find((value) => value !== undefined && value.length > 0);

/** Of the same keys that rendering takes. */
const certificateIn = (data: ReadonlyMap<string, Buffer>, nowMs: number): CertificateState | undefined => {
  const chain = valueOfAny(data, CERTIFICATE_KEYS);
  return chain && inspectCertificate(chain, valueOfAny(data, PRIVATE_KEY_KEYS), nowMs);
};

/** @param now in ms since 1970: when a Secret is seen decides whether its certificate is valid. */
export const createVault = (key: Buffer = randomBytes(32), now: () => number = wallMs): Vault => {
  const digestKey = createSecretKey(key);
  const values = new Map<string, Buffer>();
  const stored = new Map<ObjectKey, readonly string[]>();
  let held: ReadonlySet<string> = new Set();

  const digestOf = (value: string | Buffer): string =>
    PREFIX + createHmac("sha256", digestKey).update(value).digest("base64url").slice(0, 22);

  const put = (value: Buffer, digests: string[]): string => {
    if (value.length === 0) return "";
    const digest = digestOf(value);
    values.set(digest, value);
    digests.push(digest);
    return digest;
  };

  /** Deletes the values of those of `digests` that nothing needs. */
  const release = (digests: readonly string[]): void => {
    if (digests.length === 0) return;
    const inUse = new Set([...stored.values()].flat());
    for (const digest of digests) if (!inUse.has(digest) && !held.has(digest)) values.delete(digest);
  };

  const keep = (object: ObjectKey, digests: readonly string[]): void => {
    const before = stored.get(object) ?? [];
    if (digests.length > 0) stored.set(object, digests);
    else stored.delete(object);
    release(before);
  };

  const redactSecret = (object: Written, digests: string[]): Secret => {
    const { apiVersion, kind, metadata, type, data, stringData } = object;
    const decoded = new Map([
      ...Object.entries(data ?? {}).map(([name, value]) => [name, Buffer.from(String(value), "base64")] as const),
      // An API server would have put it there.
      ...Object.entries(stringData ?? {}).map(([name, value]) => [name, bytesOf(value)] as const),
    ]);
    const certificate = certificateIn(decoded, now());
    return {
      apiVersion,
      kind,
      metadata,
      ...(type === undefined ? {} : { type }),
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
    const { apiVersion, kind, metadata, spec } = object;
    if (spec === undefined) return { apiVersion, kind, metadata };
    const { password, sharedSecret } = spec;
    return {
      apiVersion,
      kind,
      metadata,
      spec: {
        ...Object.fromEntries(SHOWN_FIELDS.flatMap((name) => (spec[name] === undefined ? [] : [[name, spec[name]]]))),
        ...(password === undefined ? {} : { password: put(bytesOf(password), digests) }),
        ...(sharedSecret === undefined ? {} : { sharedSecret: put(bytesOf(sharedSecret), digests) }),
      },
    };
  };

  const redactEnvironment = (env: readonly unknown[], digests: string[]): readonly unknown[] =>
    env.map((variable) =>
      isVariable(variable) ? { ...variable, value: put(bytesOf(variable.value), digests) } : variable,
    );

  const redactDataplane = (object: Dataplane, digests: string[]): Dataplane =>
    object.spec?.env === undefined
      ? object
      : { ...object, spec: { ...object.spec, env: redactEnvironment(object.spec.env, digests) } };

  const redactWorkload = (object: Workload, digests: string[]): Workload => {
    const { apiVersion, kind, metadata } = object;
    if (isOurs(object)) return withEnvironment(object, (env) => redactEnvironment(env, digests));
    // Somebody else's: that there is one, under a name that we might want, is all that matters.
    const { name, namespace, uid, labels } = metadata;
    return {
      apiVersion,
      kind,
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
        ...(labels === undefined ? {} : { labels }),
      },
    };
  };

  const redactReceived = (object: ReceivedConfig, digests: string[]): ReceivedConfig => {
    const { auth, listeners, ...rest } = object.spec;
    const credentials = Object.entries(auth.credentials).map(([name, value]) => [
      name,
      PLAIN_KEYS.has(name) ? value : put(bytesOf(value), digests),
    ]);
    const material = (base64: string): string => put(Buffer.from(base64, "base64"), digests);
    const certificates = (listeners ?? []).flatMap(({ name, cert }) => {
      const state = cert ? inspectCertificate(Buffer.from(cert, "base64"), undefined, now()) : undefined;
      return state?.notAfter === undefined ? [] : [{ listener: name, notAfter: state.notAfter }];
    });
    return {
      ...object,
      ...(certificates.length > 0 ? { certificates } : {}),
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

  /** @param what the digest is of, for the message. */
  const valueOf = (digest: string, encoding: "utf8" | "base64", what: string): string => {
    if (!digest.startsWith(PREFIX)) return digest;
    const value = values.get(digest);
    if (value === undefined) throw new TurnpikeError("secret-unknown", `${what} is no longer in memory`);
    return value.toString(encoding);
  };

  /** By kind: those that may hold secrets. */
  const redactors: { readonly [K in KindId]?: (object: KindMap[K], digests: string[]) => KindMap[K] } = {
    Secret: (object, digests) => redactSecret(withoutAnnotations(object), digests),
    GatewayConfig: (object, digests) => redactConfig(withoutAnnotations(object), digests),
    ConfigMap: (object) => redactConfigMap(withoutAnnotations(object)),
    DataplaneConfig: redactReceived,
    Dataplane: (object, digests) => redactDataplane(withoutAnnotations(object), digests),
    Deployment: redactWorkload,
    DaemonSet: redactWorkload,
  };

  return {
    redact(kind, object) {
      const clean = withoutLastApplied(object);
      const redactor = redactors[kind] as ((object: AnyObject, digests: string[]) => AnyObject) | undefined;
      if (redactor === undefined) return clean;
      const digests: string[] = [];
      const redacted = redactor(clean, digests);
      keep(keyOf(kind, nameOfObject(kind, object)), digests);
      return redacted;
    },
    forget: (object) => keep(object, []),
    hold(digests) {
      if (digests === held) return;
      const before = held;
      held = digests;
      release([...before].filter((digest) => !digests.has(digest)));
    },
    reveal: (config) => ({
      ...config,
      auth: {
        ...config.auth,
        credentials: Object.fromEntries(
          Object.entries(config.auth.credentials).map(([name, value]) => [
            name,
            PLAIN_KEYS.has(name) ? value : valueOf(value, "utf8", `the credential ${name} of ${config.admin.name}`),
          ]),
        ),
      },
      ...(config.listeners === undefined
        ? {}
        : {
            listeners: config.listeners.map((listener) => ({
              ...listener,
              ...(listener.cert === undefined
                ? {}
                : { cert: valueOf(listener.cert, "base64", `the certificate of listener ${listener.name}`) }),
              ...(listener.key === undefined
                ? {}
                : { key: valueOf(listener.key, "base64", `the private key of listener ${listener.name}`) }),
            })),
          }),
    }),
    revealObject: (object) =>
      withEnvironment(object, (env) =>
        env.map((variable) =>
          isVariable(variable) && typeof variable.value === "string"
            ? { ...variable, value: valueOf(variable.value, "utf8", `the value of variable ${String(variable.name)}`) }
            : variable,
        ),
      ),
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
