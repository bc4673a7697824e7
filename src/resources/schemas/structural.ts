/** Converts a CRD's OpenAPI schema to the JSON schema that validates objects like an API server with strict fields. */
import { metadataSchema } from "./core.ts";

export type Schema = Readonly<Record<string, unknown>>;

export const isSchema = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const mapValues = (value: unknown, change: (schema: Schema) => Schema): Schema =>
  Object.fromEntries(
    Object.entries(isSchema(value) ? value : {}).map(([key, one]) => [key, isSchema(one) ? change(one) : one]),
  );

const preservesUnknown = (schema: Schema): boolean => schema["x-kubernetes-preserve-unknown-fields"] === true;

/**
 * Only `properties`, `items` and `additionalProperties` describe structure; `anyOf` and similar keywords check values and
 * must not reject fields.
 */
const strict = (schema: Schema): Schema => {
  const { properties, items, additionalProperties, ...rest } = schema;
  const anyType = schema["x-kubernetes-int-or-string"] === true ? { type: ["integer", "string"] } : {};
  return {
    ...rest,
    ...anyType,
    ...(isSchema(items) ? { items: strict(items) } : {}),
    ...(isSchema(properties) ? { properties: mapValues(properties, strict) } : {}),
    ...(isSchema(additionalProperties)
      ? { additionalProperties: strict(additionalProperties) }
      : isSchema(properties) && !preservesUnknown(schema)
        ? { additionalProperties: false }
        : {}),
  };
};

/**
 * Metadata is checked the same way for all kinds; a status is written by controllers and read defensively, so everything is
 * accepted there.
 */
export const validatorSchema = (schema: Schema): Schema => {
  const root = strict(schema);
  const properties = isSchema(root["properties"]) ? root["properties"] : {};
  const status = properties["status"];
  return {
    ...root,
    required: [...new Set(["apiVersion", "kind", "metadata", ...asNames(root["required"])])],
    properties: {
      ...properties,
      metadata: metadataSchema,
      status: isSchema(status) && "default" in status ? { default: status["default"] } : {},
    },
  };
};

const asNames = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((name) => typeof name === "string") : [];

/** `value` without the fields that `schema` does not have: what an API server stores of an older version. */
export const prune = (schema: Schema, value: unknown): unknown => {
  if (preservesUnknown(schema)) return value;
  if (Array.isArray(value)) {
    const { items } = schema;
    return isSchema(items) ? value.map((one) => prune(items, one)) : value;
  }
  const { properties } = schema;
  if (!isSchema(value) || !isSchema(properties)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => {
      const known = properties[key];
      if (key === "metadata" || key === "status") return [[key, one]];
      return isSchema(known) ? [[key, prune(known, one)]] : [];
    }),
  );
};

/** `value` without the nulls that the schema does not allow: to an API server they are absent. */
export const dropNulls = (schema: Schema, value: unknown): unknown => {
  if (Array.isArray(value)) {
    const { items } = schema;
    return isSchema(items) ? value.map((one) => dropNulls(items, one)) : value;
  }
  const { properties } = schema;
  if (!isSchema(value) || !isSchema(properties)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => {
      const known = properties[key];
      if (!isSchema(known)) return [[key, one]];
      if (one === null && known["nullable"] !== true) return [];
      return [[key, dropNulls(known, one)]];
    }),
  );
};
