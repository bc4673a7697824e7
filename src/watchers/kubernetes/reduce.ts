/** Keeps only the needed parts of each object: the rest would fill the log and wake the core for nothing. */
import type { KindMap, AnyObject, KindId } from "../../resources/kinds.ts";
import type { ObjectMeta, Workload } from "../../resources/core.ts";
import { isOurs } from "../../resources/ownership.ts";

interface Managed {
  readonly managedFields?: unknown;
  readonly selfLink?: unknown;
}

/** Data keys of a Secret that rules read. */
const SECRET_KEYS: ReadonlySet<string> = new Set([
  "type",
  "username",
  "password",
  "secret",
  "sharedSecret",
  "tls.crt",
  "crt",
  "cert",
  "tls.key",
  "key",
]);

/** Additional accepted credentials. */
const FURTHER_KEY = /^(?:password|secret|sharedSecret)\../;

const withoutBookkeeping = <T extends AnyObject>(object: T): T => {
  const { managedFields: _, selfLink: __, resourceVersion: ___, ...metadata } = object.metadata as ObjectMeta & Managed;
  return { ...object, metadata };
};

const withoutStatus = ({ apiVersion, kind, metadata, spec }: Workload): Workload => ({
  apiVersion,
  kind,
  metadata,
  ...(spec === undefined ? {} : { spec }),
});

const reducers: { readonly [K in KindId]?: (object: KindMap[K]) => KindMap[K] } = {
  Secret: ({ data, ...rest }) => ({
    ...rest,
    data: Object.fromEntries(
      Object.entries(data ?? {}).filter(([key]) => SECRET_KEYS.has(key) || FURTHER_KEY.test(key)),
    ),
  }),
  Node: ({ apiVersion, kind, metadata: { name }, status }) => ({
    apiVersion,
    kind,
    metadata: { name },
    ...(status?.addresses === undefined ? {} : { status: { addresses: status.addresses } }),
  }),
  Namespace: ({ apiVersion, kind, metadata: { name, labels } }) => ({
    apiVersion,
    kind,
    metadata: { name, ...(labels === undefined ? {} : { labels }) },
  }),
  Endpoints: ({ metadata, ...rest }) => {
    // Changes with every leader election of programs that still use Endpoints as locks.
    const { "control-plane.alpha.kubernetes.io/leader": _, ...annotations } = metadata.annotations ?? {};
    return { ...rest, metadata: { ...metadata, annotations } };
  },
  ConfigMap: ({ apiVersion, kind, metadata, data }) => ({
    apiVersion,
    kind,
    metadata,
    ...(data === undefined ? {} : { data }),
  }),
  Deployment: withoutStatus,
  DaemonSet: withoutStatus,
  // Of another owner only the name matters.
  NetworkPolicy: (object) => {
    if (isOurs(object)) return object;
    const { name, namespace, labels } = object.metadata;
    const metadata = {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
    };
    return { apiVersion: object.apiVersion, kind: object.kind, metadata };
  },
};

export const reduce = (kind: KindId, object: AnyObject): AnyObject => {
  const clean = withoutBookkeeping(object);
  const reducer = reducers[kind] as ((object: AnyObject) => AnyObject) | undefined;
  return reducer === undefined ? clean : reducer(clean);
};
