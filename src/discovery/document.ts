/** A config document from outside: validates its types, and brings its keys and words into canonical form. */
import { parseConfig } from "../dataplane/config.ts";
import { TurnpikeError } from "../errors.ts";
import type { AdminConfig, DataplaneConfig } from "../resources/dataplane-config.ts";
import { readUserRules } from "../resources/users.ts";

type Shape = "string" | "integer" | "strings" | "words" | "certificates";
type Fields = Readonly<Record<string, unknown>>;

const ADMIN: Readonly<Record<string, Shape>> = {
  name: "string",
  loglevel: "string",
  metrics_endpoint: "string",
  healthcheck_endpoint: "string",
  user_quota: "integer",
  offload_engine: "string",
  offload_interfaces: "strings",
};
const AUTH: Readonly<Record<string, Shape>> = { type: "string", realm: "string", credentials: "words" };
const LISTENER: Readonly<Record<string, Shape>> = {
  name: "string",
  protocol: "string",
  public_address: "string",
  public_port: "integer",
  more_public_addresses: "strings",
  address: "string",
  more_addresses: "strings",
  port: "integer",
  cert: "string",
  key: "string",
  certificates: "certificates",
  http_backend: "string",
  http_backend_proxy_protocol: "string",
  routes: "strings",
};
const CERTIFICATE: Readonly<Record<string, Shape>> = { cert: "string", key: "string" };
const ALTERNATE: Readonly<Record<string, Shape>> = { node: "string", addresses: "strings" };
const CLUSTER: Readonly<Record<string, Shape>> = {
  name: "string",
  type: "string",
  protocol: "string",
  endpoints: "strings",
};

const refuse = (message: string): never => {
  throw new TurnpikeError("config-invalid", message);
};

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isString = (value: unknown): value is string => typeof value === "string";

// Error messages quote no value: it may be a secret.
const readers: Readonly<Record<Shape, (value: unknown, where: string) => unknown>> = {
  string: (value, where) => (isString(value) ? value : refuse(`${where} is no string`)),
  // A number that was a placeholder is a string in documents that quote it.
  integer: (value, where) => {
    const number = isString(value) && /^-?[0-9]+$/.test(value) ? Number(value) : value;
    return Number.isSafeInteger(number) ? number : refuse(`${where} is no integer`);
  },
  strings: (value, where) =>
    Array.isArray(value) && value.every(isString) ? value : refuse(`${where} is no list of strings`),
  words: (value, where) =>
    isObject(value) && Object.values(value).every(isString) ? value : refuse(`${where} is no map of strings`),
  certificates: (value, where) => readList(value, CERTIFICATE, where),
};

/** The field `name` of `object`, whatever the case of its key; null counts as absent. */
const field = (object: Fields, name: string): unknown => {
  const key = Object.hasOwn(object, name) ? name : Object.keys(object).find((one) => one.toLowerCase() === name);
  return key === undefined ? undefined : (object[key] ?? undefined);
};

/** The fields that `shapes` defines; others are ignored, because newer releases may send them. */
const read = (value: unknown, shapes: Readonly<Record<string, Shape>>, where: string): Fields => {
  if (value === undefined) return {};
  if (!isObject(value)) return refuse(`${where} is no object`);
  return Object.fromEntries(
    Object.entries(shapes).flatMap(([name, shape]) => {
      const found = field(value, name);
      return found === undefined ? [] : [[name, readers[shape](found, `${where}.${name}`)] as const];
    }),
  );
};

const readList = (value: unknown, shapes: Readonly<Record<string, Shape>>, where: string): readonly Fields[] => {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return refuse(`${where} is no list`);
  return value.map((item: unknown, place) => read(item ?? {}, shapes, `${where}[${place}]`));
};

const usersOf = (value: unknown): Pick<DataplaneConfig, "users"> => {
  if (value === undefined) return {};
  const users = readUserRules(value);
  return typeof users === "string" ? refuse(`users: ${users}`) : { users };
};

/**
 * The config in a parsed `document`, with defaults. A `v1alpha1` document becomes `v1`: only the names of its
 * authentication types differ, and a type is required.
 * @throws TurnpikeError `config-invalid`, which quotes no credential.
 */
export const readConfig = (document: unknown): DataplaneConfig => {
  if (!isObject(document)) return refuse("a config is an object");
  const auth = read(field(document, "auth"), AUTH, "auth");
  const alpha = field(document, "version") === "v1alpha1";
  if (alpha && !auth["type"]) refuse(`unknown authentication type: ""`);
  const admin = read(field(document, "admin"), ADMIN, "admin");
  const config = {
    version: alpha ? "v1" : field(document, "version"),
    admin,
    auth,
    listeners: readList(field(document, "listeners"), LISTENER, "listeners"),
    clusters: readList(field(document, "clusters"), CLUSTER, "clusters"),
    ...usersOf(field(document, "users")),
    alternates: readList(field(document, "alternates"), ALTERNATE, "alternates"),
  };
  // The types are valid now; `parseConfig` validates words and adds defaults.
  const sound = parseConfig(config as unknown as DataplaneConfig);
  return {
    version: "v1",
    admin: { ...(admin as Partial<AdminConfig>), name: sound.name },
    auth: sound.auth,
    listeners: sound.listeners,
    clusters: sound.clusters,
    ...(sound.users === undefined ? {} : { users: sound.users }),
    ...(sound.alternates.length === 0 ? {} : { alternates: sound.alternates }),
  };
};

/**
 * The JSON value of `text`.
 * @throws TurnpikeError `config-invalid`; the parser's own message would quote the text, which contains secrets.
 */
export const parseDocument = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return refuse("the document is not JSON");
  }
};
