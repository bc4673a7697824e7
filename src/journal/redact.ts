/** The secrets in each kind of object, and the object without them. */
import type { CertificateState, ConfigMap, ObjectMeta, Secret, Workload } from "../resources/core.ts";
import type { AnyObject, KindId, KindMap } from "../resources/kinds.ts";
import { LAST_APPLIED_ANNOTATION } from "../resources/names.ts";
import { isOurs } from "../resources/ownership.ts";
import type { Dataplane, GatewayConfig } from "../resources/stunner.ts";
import { inspectCertificate } from "./certificate.ts";
import { redactEnvironment, withEnvironment } from "./environment.ts";
import { redactReceived } from "./config-secrets.ts";
import { bytesOf, PLAIN_KEYS, type Seal } from "./seal.ts";

const CERTIFICATE_KEYS = ["tls.crt", "crt", "cert"] as const;
const PRIVATE_KEY_KEYS = ["tls.key", "key"] as const;
/** Fields of a GatewayConfig that are not secret. Other fields are unknown, so their content is treated as secret. */
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
  // kubectl keeps a copy of the whole manifest there, including passwords.
  const { [LAST_APPLIED_ANNOTATION]: _, ...rest } = annotations;
  return withMetadata(object, { ...metadata, annotations: rest });
};

/** Many tools keep a copy of what they applied in an annotation, and no rule reads annotations of these kinds. */
const withoutAnnotations = <T extends AnyObject>(object: T): T => {
  const { annotations: _, ...metadata } = object.metadata;
  return withMetadata(object, metadata);
};

/** A Secret as its author wrote it: the API server validates its schema. */
type Written = Omit<Secret, "data"> & {
  readonly data?: Readonly<Record<string, unknown>>;
  readonly stringData?: Readonly<Record<string, unknown>>;
};

const valueOfAny = (data: ReadonlyMap<string, Buffer>, keys: readonly string[]): Buffer | undefined =>
  keys.map((key) => data.get(key)).find((value) => value !== undefined && value.length > 0);

/** Of the same keys that rendering reads. */
const certificateIn = (data: ReadonlyMap<string, Buffer>, nowMs: number): CertificateState | undefined => {
  const chain = valueOfAny(data, CERTIFICATE_KEYS);
  return chain && inspectCertificate(chain, valueOfAny(data, PRIVATE_KEY_KEYS), nowMs);
};

const redactSecret = (object: Written, seal: Seal): Secret => {
  const { apiVersion, kind, metadata, type, data, stringData } = object;
  const decoded = new Map([
    ...Object.entries(data ?? {}).map(([name, value]) => [name, Buffer.from(String(value), "base64")] as const),
    // An API server would have added it.
    ...Object.entries(stringData ?? {}).map(([name, value]) => [name, bytesOf(value)] as const),
  ]);
  const certificate = certificateIn(decoded, seal.nowMs);
  return {
    apiVersion,
    kind,
    metadata,
    ...(type === undefined ? {} : { type }),
    data: Object.fromEntries(
      [...decoded].map(([name, value]) => [name, PLAIN_KEYS.has(name) ? value.toString("utf8") : seal.put(value)]),
    ),
    ...(certificate === undefined ? {} : { certificate }),
  };
};

const redactConfig = (object: GatewayConfig, seal: Seal): GatewayConfig => {
  const { apiVersion, kind, metadata, spec } = object;
  if (spec === undefined) return { apiVersion, kind, metadata };
  const { password, sharedSecret } = spec;
  return {
    apiVersion,
    kind,
    metadata,
    spec: {
      ...Object.fromEntries(SHOWN_FIELDS.flatMap((name) => (spec[name] === undefined ? [] : [[name, spec[name]]]))),
      ...(password === undefined ? {} : { password: seal.put(bytesOf(password)) }),
      ...(sharedSecret === undefined ? {} : { sharedSecret: seal.put(bytesOf(sharedSecret)) }),
    },
  };
};

const redactDataplane = (object: Dataplane, seal: Seal): Dataplane =>
  object.spec?.env === undefined
    ? object
    : { ...object, spec: { ...object.spec, env: redactEnvironment(object.spec.env, seal) } };

const redactWorkload = (object: Workload, seal: Seal): Workload => {
  const { apiVersion, kind, metadata } = object;
  if (isOurs(object)) return withEnvironment(object, (env) => redactEnvironment(env, seal));
  // Owned by another controller: only its existence under a name that we might use matters.
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

/** These values are only compared, never read again. */
const redactConfigMap = (object: ConfigMap, seal: Seal): ConfigMap => ({
  ...object,
  ...(object.data === undefined
    ? {}
    : { data: Object.fromEntries(Object.entries(object.data).map(([name, text]) => [name, seal.digestOf(text)])) }),
});

/** By kind: the kinds that may hold secrets. */
const redactors: { readonly [K in KindId]?: (object: KindMap[K], seal: Seal) => KindMap[K] } = {
  Secret: (object, seal) => redactSecret(withoutAnnotations(object), seal),
  GatewayConfig: (object, seal) => redactConfig(withoutAnnotations(object), seal),
  ConfigMap: (object, seal) => redactConfigMap(withoutAnnotations(object), seal),
  DataplaneConfig: redactReceived,
  Dataplane: (object, seal) => redactDataplane(withoutAnnotations(object), seal),
  Deployment: redactWorkload,
  DaemonSet: redactWorkload,
};

/** Whether objects of this kind may hold secrets. */
export const mayHoldSecrets = (kind: KindId): boolean => redactors[kind] !== undefined;

/** `object` with digests in place of its secrets. */
export const redactObject = (kind: KindId, object: AnyObject, seal: Seal): AnyObject => {
  const clean = withoutLastApplied(object);
  const redactor = redactors[kind] as ((object: AnyObject, seal: Seal) => AnyObject) | undefined;
  return redactor === undefined ? clean : redactor(clean, seal);
};
