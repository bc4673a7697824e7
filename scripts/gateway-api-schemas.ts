/**
 * Writes `src/resources/schemas/gateway-api.json` from the CRDs of the Go module `sigs.k8s.io/gateway-api`.
 *
 *     go mod download -json sigs.k8s.io/gateway-api@v1.6.0     # tells the folder
 *     node scripts/gateway-api-schemas.ts FOLDER v1.6.0
 *
 * Descriptions are left out: they are most of the size and validators do not read them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const channel = "config/crd/experimental";
const wanted = {
  gatewayclasses: ["v1"],
  gateways: ["v1"],
  udproutes: ["v1", "v1alpha2"],
  referencegrants: ["v1", "v1beta1"],
} as const;

interface CustomResourceDefinition {
  readonly spec: {
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: unknown } }[];
  };
}

/** Removes the `description` of every schema, but not a property that happens to have that name. */
const withoutDescriptions = (schema: unknown, isPropertyMap = false): unknown => {
  if (Array.isArray(schema)) return schema.map((one) => withoutDescriptions(one));
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => isPropertyMap || key !== "description")
      .map(([key, value]) =>
        !isPropertyMap && (key === "default" || key === "enum")
          ? [key, value]
          : [key, withoutDescriptions(value, !isPropertyMap && key === "properties")],
      ),
  );
};

const [folder, version] = process.argv.slice(2);
if (folder === undefined || version === undefined) throw new Error("usage: gateway-api-schemas.ts FOLDER VERSION");

const schemas = Object.entries(wanted).flatMap(([plural, versions]) => {
  const text = readFileSync(join(folder, channel, `gateway.networking.k8s.io_${plural}.yaml`), "utf8");
  const definition: CustomResourceDefinition = parse(text);
  return versions.map((name) => {
    const found = definition.spec.versions.find((one) => one.name === name);
    if (found === undefined) throw new Error(`${plural} has no version ${name}`);
    return [`${name}#${definition.spec.names.kind}`, withoutDescriptions(found.schema.openAPIV3Schema)] as const;
  });
});

const document = {
  source: `sigs.k8s.io/gateway-api ${version}, ${channel}`,
  notice: "Copyright The Kubernetes Authors. Licensed under the Apache License, Version 2.0. Descriptions removed.",
  schemas: Object.fromEntries(schemas),
};
writeFileSync("src/resources/schemas/gateway-api.json", `${JSON.stringify(document)}\n`);
