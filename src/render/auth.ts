/** How clients authenticate. Values of Secrets are digests here; an empty value counts as absent. */
import type { AuthConfig } from "../resources/dataplane-config.ts";
import type { GatewayConfig } from "../resources/stunner.ts";
import type { ObjectsView } from "../resources/view.ts";
import { nameOf } from "../resources/keys.ts";
import { DEFAULT_REALM, isFurther, MAX_FURTHER_CREDENTIALS } from "../resources/names.ts";

export type Rendered<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly cause: string };

interface Source {
  readonly where: string;
  readonly type: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly secret: string | undefined;
  /** Additional accepted credentials, by the keys of the config: `secret.NAME`, `password.NAME`. */
  readonly further: Readonly<Record<string, string>>;
}

const inlineSource = (config: GatewayConfig): Source => ({
  where: `GatewayConfig ${nameOf(config.metadata.namespace, config.metadata.name)}`,
  type: config.spec?.authType,
  username: config.spec?.userName,
  password: config.spec?.password,
  secret: config.spec?.sharedSecret,
  further: {},
});

const furtherOf = (data: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(data).flatMap(([key, value]) => {
      const name = key.replace(/^sharedSecret\./, "secret.");
      return /^(?:secret|password)\../.test(name) && value !== "" ? [[name, value]] : [];
    }),
  );

/** With an `authRef` the inline fields are ignored, complete or not: the two are never mixed. */
const sourceOf = (view: ObjectsView, config: GatewayConfig): Rendered<Source> => {
  const reference = config.spec?.authRef;
  if (reference === undefined) return { ok: true, value: inlineSource(config) };
  const { group = "", kind = "Secret" } = reference;
  if (group !== "" && group !== "v1") return { ok: false, cause: `authRef group ${group} is not supported` };
  if (kind !== "Secret") return { ok: false, cause: `authRef kind ${kind} is not supported` };
  const name = nameOf(reference.namespace ?? config.metadata.namespace, reference.name);
  const secret = view.get("Secret", name);
  if (secret === undefined) return { ok: false, cause: `Secret ${name} not found` };
  const data = secret.data ?? {};
  return {
    ok: true,
    value: {
      where: `Secret ${name}`,
      type: data["type"],
      username: data["username"],
      password: data["password"],
      secret: data["secret"] || data["sharedSecret"],
      further: furtherOf(data),
    },
  };
};

/** The entries of `further` that belong to `key`. */
const furtherWith = (
  { where, further }: Source,
  key: "secret" | "password",
): Rendered<Readonly<Record<string, string>>> => {
  const found = Object.entries(further).filter(([name]) => isFurther(key, name));
  return found.length > MAX_FURTHER_CREDENTIALS
    ? { ok: false, cause: `${where} has more than ${MAX_FURTHER_CREDENTIALS} keys that begin with "${key}."` }
    : { ok: true, value: Object.fromEntries(found) };
};

const credentials = (source: Source): Rendered<Omit<AuthConfig, "realm">> => {
  switch (source.type || "static") {
    case "static":
    case "plaintext": {
      const { username, password } = source;
      if (!username || !password)
        return { ok: false, cause: `${source.where} needs a user name and a password for static authentication` };
      const further = furtherWith(source, "password");
      return further.ok
        ? { ok: true, value: { type: "static", credentials: { username, password, ...further.value } } }
        : further;
    }
    case "ephemeral":
    case "timewindowed":
    case "longterm": {
      const { secret } = source;
      if (!secret) return { ok: false, cause: `${source.where} needs a shared secret for ephemeral authentication` };
      const further = furtherWith(source, "secret");
      return further.ok
        ? { ok: true, value: { type: "ephemeral", credentials: { secret, ...further.value } } }
        : further;
    }
    case "none":
      // A Secret must not be able to switch authentication off.
      return { ok: false, cause: `${source.where} asks for no authentication, which needs stunMode` };
    default:
      return { ok: false, cause: `${source.where} has an unknown authentication type ${source.type}` };
  }
};

export const renderAuth = (view: ObjectsView, config: GatewayConfig): Rendered<AuthConfig> => {
  // A STUN server authenticates no client, regardless of the other fields.
  if (config.spec?.stunMode === true)
    return { ok: true, value: { type: "none", realm: config.spec.realm || DEFAULT_REALM, credentials: {} } };
  const source = sourceOf(view, config);
  if (!source.ok) return source;
  const rendered = credentials(source.value);
  if (!rendered.ok) return rendered;
  const { type, credentials: values } = rendered.value;
  return { ok: true, value: { type, realm: config.spec?.realm || DEFAULT_REALM, credentials: values } };
};
