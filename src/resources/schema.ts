/** Validates objects with the schemas that a cluster uses, and adds their defaults. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { parse } from "yaml";
import type { AnyObject, Kind } from "./kinds.ts";
import type { Gateway, GatewayApiUDPRoute } from "./gateway-api.ts";
import { STUNNER_GROUP } from "./names.ts";
import { coreSchemas } from "./schemas/core.ts";
import type { Problem } from "./schemas/problem.ts";
import { gatewayRouteRules, gatewayRules } from "./schemas/rules.ts";
import { dropNulls, isSchema, prune, validatorSchema, type Schema } from "./schemas/structural.ts";

export type Validated = { readonly object: AnyObject } | { readonly problems: readonly Problem[] };

const MAX_PROBLEMS = 10;
const GATEWAY_API_SCHEMAS = new URL("./schemas/gateway-api.json", import.meta.url);
const CRD_FOLDER = new URL("../../deploy/crds/", import.meta.url);

const isDuplicate = (keys: readonly string[], items: readonly unknown[]): boolean => {
  const ids = items.map((item) =>
    JSON.stringify(keys.length === 0 ? item : keys.map((key) => (isSchema(item) ? item[key] : undefined))),
  );
  return new Set(ids).size < ids.length;
};

const newAjv = (): Ajv => {
  const ajv = new Ajv({ allErrors: true, useDefaults: true, strict: false, unicodeRegExp: false });
  const isWithin = (bits: number) => (value: number) => Number.isInteger(value) && Math.abs(value) <= 2 ** (bits - 1);
  ajv.addFormat("int32", { type: "number", validate: isWithin(32) });
  ajv.addFormat("int64", { type: "number", validate: isWithin(64) });
  ajv.addFormat("date-time", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i);
  ajv.addFormat("ip", (value) => isIP(value) !== 0);
  ajv.addFormat("ipv4", (value) => isIP(value) === 4);
  ajv.addFormat("ipv6", (value) => isIP(value) === 6);
  ajv.addFormat("cluster-ip", (value) => value === "" || value === "None" || isIP(value) !== 0);
  ajv.addKeyword({
    keyword: "x-kubernetes-list-map-keys",
    type: "array",
    error: { message: "must not have two items of the same key" },
    compile: (keys: readonly string[]) => (items: readonly unknown[]) => !isDuplicate(keys, items),
  });
  ajv.addKeyword({
    keyword: "x-kubernetes-list-type",
    type: "array",
    error: { message: "must not have the same item twice" },
    compile: (type: string) => (items: readonly unknown[]) => type !== "set" || !isDuplicate([], items),
  });
  return ajv;
};

/** The original schema, for pruning, and its compiled form. */
interface Checker {
  readonly schema: Schema;
  readonly validate: ValidateFunction;
  readonly hasDefaults: boolean;
}

// Compiled once per kind and version, on first use: most processes see few kinds.
const checkers = new Map<string, Checker>();
let ajv: Ajv | undefined;
let gatewayApiSchemas: Schema | undefined;

const gatewayApiSchema = (kind: Kind, version: string): unknown => {
  gatewayApiSchemas ??= JSON.parse(readFileSync(GATEWAY_API_SCHEMAS, "utf8")) as Schema;
  const { schemas } = gatewayApiSchemas;
  return isSchema(schemas) ? schemas[`${version}#${kind.kind}`] : undefined;
};

interface CustomResourceDefinition {
  readonly spec: {
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: unknown } }[];
  };
}

const ownSchema = (kind: Kind, version: string): unknown => {
  const text = readFileSync(new URL(`${kind.group}_${kind.plural}.yaml`, CRD_FOLDER), "utf8");
  const definition: CustomResourceDefinition = parse(text);
  return definition.spec.versions.find((one) => one.name === version)?.schema.openAPIV3Schema;
};

const checkerOf = (kind: Kind, version: string): Checker => {
  const id = `${kind.id}/${version}`;
  const known = checkers.get(id);
  if (known !== undefined) return known;
  const core = coreSchemas[kind.id];
  const found = core ?? (kind.group === STUNNER_GROUP ? ownSchema(kind, version) : gatewayApiSchema(kind, version));
  if (!isSchema(found)) throw new Error(`no schema for ${id}`);
  ajv ??= newAjv();
  const hasDefaults = core === undefined;
  const validate = ajv.compile(hasDefaults ? validatorSchema(found) : found);
  const checker = { schema: found, validate, hasDefaults };
  checkers.set(id, checker);
  return checker;
};

/** If a space is missing, `password:…` becomes a key; so text that does not look like a key is cut off. */
const nameIn = (part: string): string => {
  const [name = ""] = /^[\w./-]{0,63}/.exec(part) ?? [];
  return name === part ? part : `${name}…`;
};

const fieldOf = (pointer: string): string =>
  pointer
    .split("/")
    .slice(1)
    .map((part) => nameIn(part.replaceAll("~1", "/").replaceAll("~0", "~")))
    .reduce((path, part) => (/^[0-9]+$/.test(part) ? `${path}[${part}]` : path === "" ? part : `${path}.${part}`), "");

const child = (field: string, name: unknown): string =>
  field === "" ? nameIn(String(name)) : `${field}.${nameIn(String(name))}`;

const formatReasons: Readonly<Record<string, string>> = {
  ip: "must be an IP address",
  ipv4: "must be an IPv4 address",
  ipv6: "must be an IPv6 address",
  "cluster-ip": "must be an IP address, None or empty",
  "date-time": "must be a date and time as in RFC 3339",
  int32: "must be a 32-bit integer",
  int64: "must be a 64-bit integer",
};

const problemOf = (error: ErrorObject): Problem => {
  const field = fieldOf(error.instancePath);
  switch (error.keyword) {
    case "required":
      return { field: child(field, error.params["missingProperty"]), reason: "is required" };
    case "additionalProperties":
      return { field: child(field, error.params["additionalProperty"]), reason: "unknown field" };
    case "enum": {
      const allowed: readonly unknown[] = error.params["allowedValues"];
      return {
        field,
        reason: `must be one of ${allowed
          .filter((one) => one !== null)
          .map(String)
          .join(", ")}`,
      };
    }
    case "format":
      return { field, reason: formatReasons[String(error.params["format"])] ?? "is not valid" };
    default:
      return { field, reason: error.message ?? "is not valid" };
  }
};

/** CEL rules that are implemented in code. */
const ruleProblems = (kind: Kind, object: AnyObject): readonly Problem[] => {
  if (kind.id === "Gateway") return gatewayRules(object as Gateway);
  return kind.id === "GatewayUDPRoute" ? gatewayRouteRules(object as GatewayApiUDPRoute) : [];
};

const versionOf = (kind: Kind, object: Schema): string | undefined =>
  kind.versions.find((version) => object["apiVersion"] === (kind.group ? `${kind.group}/${version}` : version));

/**
 * `object` as a cluster would store it, or its problems (the first ten). Unknown fields are rejected in custom resources,
 * as by `kubectl`. Objects of older STUNner versions are returned as `v1`.
 */
export const validate = (kind: Kind, object: unknown): Validated => {
  if (!isSchema(object)) return { problems: [{ field: "", reason: "must be an object" }] };
  const version = versionOf(kind, object);
  if (version === undefined || object["kind"] !== kind.kind)
    return { problems: [{ field: version === undefined ? "apiVersion" : "kind", reason: `is not of ${kind.id}` }] };

  const checker = checkerOf(kind, version);
  const copy = checker.hasDefaults ? dropNulls(checker.schema, structuredClone(object)) : object;
  // Ajv checks `oneOf` before it adds defaults, so a failed object is checked once more, with its defaults.
  if (!checker.validate(copy) && !checker.validate(copy))
    // An `if` only repeats the error of its branch.
    return {
      problems: (checker.validate.errors ?? [])
        .filter((error) => error.keyword !== "if")
        .slice(0, MAX_PROBLEMS)
        .map(problemOf),
    };
  if (kind.group === STUNNER_GROUP && version !== "v1")
    return validate(kind, {
      ...(prune(checkerOf(kind, "v1").schema, copy) as Schema),
      apiVersion: `${kind.group}/v1`,
    });
  const valid = copy as AnyObject;
  const problems = ruleProblems(kind, valid).slice(0, MAX_PROBLEMS);
  return problems.length > 0 ? { problems } : { object: valid };
};
