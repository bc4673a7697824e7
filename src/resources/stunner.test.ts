/** The types of STUNner's kinds, and the definitions that clusters check objects with, have the same fields. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { BackendReference, ParentReference, RouteSpec, SecretReference } from "./gateway-api.ts";
import type { Dataplane, GatewayConfig, StaticService } from "./stunner.ts";

/** The compiler refuses one that is missing here, and one that is not in the type. */
type Fields<T> = Readonly<Record<keyof T, true>>;

const dataplane: Fields<NonNullable<Dataplane["spec"]>> = {
  image: true,
  imagePullPolicy: true,
  imagePullSecrets: true,
  dataplaneResource: true,
  labels: true,
  annotations: true,
  command: true,
  args: true,
  envFrom: true,
  env: true,
  containerSecurityContext: true,
  replicas: true,
  resources: true,
  terminationGracePeriodSeconds: true,
  hostNetwork: true,
  affinity: true,
  securityContext: true,
  tolerations: true,
  topologySpreadConstraints: true,
  disableHealthCheck: true,
  enableMetricsEndpoint: true,
  offloadEngine: true,
  offloadInterfaces: true,
};
const gatewayConfig: Fields<NonNullable<GatewayConfig["spec"]>> = {
  dataplane: true,
  realm: true,
  authType: true,
  userName: true,
  password: true,
  sharedSecret: true,
  authRef: true,
  loadBalancerServiceAnnotations: true,
  logLevel: true,
  userQuota: true,
  stunMode: true,
};
const staticService: Fields<StaticService["spec"]> = { prefixes: true };
const secretReference: Fields<SecretReference> = { group: true, kind: true, name: true, namespace: true };
const route: Fields<RouteSpec> = { parentRefs: true, rules: true };
const rule: Fields<RouteSpec["rules"][number]> = { backendRefs: true };
const parent: Fields<ParentReference> = {
  group: true,
  kind: true,
  namespace: true,
  name: true,
  sectionName: true,
  port: true,
};
const backend: Fields<BackendReference> = {
  group: true,
  kind: true,
  name: true,
  namespace: true,
  port: true,
  endPort: true,
};

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

interface Version {
  readonly name: string;
  readonly storage: boolean;
  readonly schema: { readonly openAPIV3Schema: Schema };
  readonly additionalPrinterColumns?: readonly { readonly name: string; readonly jsonPath: string }[];
}

const versionOf = (plural: string): Version => {
  const file = new URL(`../../deploy/crds/stunner.l7mp.io_${plural}.yaml`, import.meta.url);
  const { spec } = parse(readFileSync(file, "utf8")) as { readonly spec: { readonly versions: readonly Version[] } };
  return spec.versions.find(({ storage }) => storage)!;
};

/** `spec.rules.backendRefs`: items of lists are passed through. */
const schemaAt = (plural: string, path: string): Schema => {
  const at = path
    .split(".")
    .reduce<Schema | undefined>(
      (schema, name) => (schema?.properties ?? schema?.items?.properties)?.[name],
      versionOf(plural).schema.openAPIV3Schema,
    );
  return at?.items ?? at ?? {};
};

describe("the definitions of STUNner's kinds", () => {
  it.each([
    ["dataplanes", "spec", dataplane],
    ["gatewayconfigs", "spec", gatewayConfig],
    ["gatewayconfigs", "spec.authRef", secretReference],
    ["staticservices", "spec", staticService],
    ["udproutes", "spec", route],
    ["udproutes", "spec.rules", rule],
    ["udproutes", "spec.parentRefs", parent],
    ["udproutes", "spec.rules.backendRefs", backend],
  ] as const)("have the fields of the type: %s %s", (plural, path, fields) => {
    const { properties = {} } = schemaAt(plural, path);
    // What nobody reads may be written, for manifests that do.
    const read = Object.keys(properties).filter(
      (name) => name in fields || properties[name]?.description !== "Not used.",
    );
    expect(read.toSorted()).toEqual(Object.keys(fields).toSorted());
  });

  it.each(["dataplanes", "gatewayconfigs", "staticservices", "udproutes"])("show existing columns: %s", (plural) => {
    const { additionalPrinterColumns: columns = [] } = versionOf(plural);
    expect(columns.map(({ name }) => name)).toContain("Age");
    for (const { jsonPath } of columns.filter(({ name }) => name !== "Age"))
      expect(schemaAt(plural, jsonPath.slice(1)), jsonPath).not.toEqual({});
  });
});
