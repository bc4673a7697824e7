/** The reference of the resources, from the definitions that are installed. */
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { cell } from "./markdown.ts";

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
}

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: {
      readonly kind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames?: readonly string[];
    };
    readonly versions: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly storage: boolean;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

const folder = new URL("../deploy/crds/", import.meta.url);

export const definitions: readonly Definition[] = readdirSync(fileURLToPath(folder))
  .toSorted()
  .map((name) => parse(readFileSync(new URL(name, folder), "utf8")) as Definition);

/** Schemas of Kubernetes' own: said in a word, and not taken apart. */
const isForeign = (schema: Schema): boolean => schema["x-kubernetes-preserve-unknown-fields"] === true;

const typeOf = (schema: Schema): string => {
  if (schema["x-kubernetes-int-or-string"] === true) return "integer or string";
  if (schema.type === "array") return `list of ${schema.items === undefined ? "anything" : typeOf(schema.items)}`;
  if (schema.type === "object" && typeof schema.additionalProperties === "object")
    return `map of ${typeOf(schema.additionalProperties)}`;
  return schema.type ?? "any";
};

const limitsOf = ({ enum: words, pattern, minimum, maximum, maxLength }: Schema, isRequired: boolean): string =>
  [
    ...(isRequired ? ["required"] : []),
    ...(words === undefined ? [] : [words.map((word) => `\`${String(word)}\``).join(", ")]),
    ...(minimum === undefined && maximum === undefined ? [] : [`${minimum ?? ""}–${maximum ?? ""}`]),
    ...(maxLength === undefined ? [] : [`at most ${maxLength} characters`]),
    ...(pattern === undefined ? [] : [`\`${pattern}\``]),
  ].join("; ");

interface Field {
  /** `authRef.name`, `env[].name` */
  readonly path: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
}

const fieldsOf = (schema: Schema | undefined, before = ""): readonly Field[] =>
  Object.entries(schema?.properties ?? {}).flatMap(([name, one]) => {
    const path = `${before}${name}`;
    const field = { path, schema: one, isRequired: schema?.required?.includes(name) === true };
    if (isForeign(one)) return [field];
    return [field, ...(one.type === "array" ? fieldsOf(one.items, `${path}[].`) : fieldsOf(one, `${path}.`))];
  });

const rowOf = ({ path, schema, isRequired }: Field): string => {
  const standard = schema.default === undefined ? "" : `\`${JSON.stringify(schema.default)}\``;
  return `| \`${path}\` | ${typeOf(schema)} | ${standard} | ${cell(limitsOf(schema, isRequired))} | ${cell(schema.description ?? "")} |`;
};

const sectionOf = ({ spec: { group, scope, names, versions } }: Definition): string => {
  const newest = versions.find(({ storage }) => storage) ?? versions[0];
  const schema = newest?.schema.openAPIV3Schema ?? {};
  const fields = fieldsOf(schema.properties?.["spec"]);
  const older = versions.filter((one) => one !== newest && one.served);
  const differences = older.map(({ name, schema: { openAPIV3Schema } }) => {
    const theirs = new Set(fieldsOf(openAPIV3Schema.properties?.["spec"]).map(({ path }) => path));
    const missing = fields.flatMap(({ path }) => (theirs.has(path) ? [] : [`\`${path}\``]));
    return `\`${name}\` is served as well${missing.length === 0 ? ", with the same fields" : `, without ${missing.join(", ")}`}.`;
  });
  const short = (names.shortNames ?? []).map((name) => `\`${name}\``).join(", ");
  return `## ${names.kind}

\`${group}/${newest?.name ?? ""}\`, ${scope === "Cluster" ? "of the whole cluster" : "in a namespace"}; \`kubectl get ${names.plural}.${group}\`${short === "" ? "" : `, for short ${short}`}.
${schema.description ?? ""} ${differences.join(" ")}

| field of \`spec\` | type | default | may be | what it is |
| --- | --- | --- | --- | --- |
${fields.map(rowOf).join("\n")}
`;
};

export const resourcesPage = (): string => `# Resources

Those of \`stunner.l7mp.io\` come with Turnpike; this page is written from their definitions in \`deploy/crds\`. A field that is
none of these is refused by the API server, and in a [directory of manifests](../guides/directory.md).

${definitions.map(sectionOf).join("\n")}
## Of the Gateway API

Of [its resources](https://gateway-api.sigs.k8s.io/reference/spec/) these fields count; the others are left alone.

| kind | fields |
| --- | --- |
| GatewayClass (\`v1\`) | \`controllerName\`, \`parametersRef\` (a GatewayConfig) |
| Gateway (\`v1\`) | \`gatewayClassName\`; \`addresses\` (the first is asked of the load balancer); \`listeners[]\`: \`name\`, \`port\`, \`protocol\` (\`TURN-UDP\`, \`TURN-TCP\`, \`TURN-TLS\`, \`TURN-DTLS\`; \`UDP\`, \`TCP\`, \`TLS\`, \`DTLS\` mean the same), \`tls.certificateRefs\`, \`allowedRoutes.namespaces\`; [annotations](annotations.md) |
| UDPRoute (\`v1\`, \`v1alpha2\`) | \`parentRefs\` with \`sectionName\` and \`port\`; \`rules[].backendRefs\` with \`port\`, Services alone |
| ReferenceGrant (\`v1\`, \`v1beta1\`) | \`from\`, \`to\` |
`;
