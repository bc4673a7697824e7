/**
 * Environment placeholders in a config: `$NAME` and `${NAME}`, parsed like Go's `os.Expand`. The operator renders
 * `$STUNNER_ADDR` for an address that only the dataplane knows.
 */

export type Environment = Readonly<Record<string, string | undefined>>;

// An unclosed brace is dropped, and so is an empty name; a `$` before anything else stays.
const PLACEHOLDER = /\$(?:\{([*#$@!?\-0-9])\}|\{([^}]*)\}|(\{)|([*#$@!?\-0-9])|([A-Za-z_][A-Za-z0-9_]*))/g;

/** `text` with its placeholders replaced; an unset variable is empty. */
export const expandText = (text: string, environment: Environment): string =>
  text.replaceAll(PLACEHOLDER, (_, special?: string, braced?: string, open?: string, single?: string, plain?: string) =>
    open === undefined ? (environment[special ?? braced ?? single ?? plain ?? ""] ?? "") : "",
  );

const isInteger = (text: string | undefined): boolean => text !== undefined && /^[+-]?[0-9]+$/.test(text);

/** `environment` with `STUNNER_PORT`, which is `STUNNER_PUBLIC_PORT` or 3478 unless it is an integer already. */
export const withDefaultPort = (environment: Environment): Environment => {
  const { STUNNER_PORT: port, STUNNER_PUBLIC_PORT: publicPort } = environment;
  if (isInteger(port)) return environment;
  return { ...environment, STUNNER_PORT: isInteger(publicPort) ? publicPort : "3478" };
};

const expandValue = (value: unknown, environment: Environment): unknown => {
  if (typeof value === "string") return expandText(value, environment);
  if (Array.isArray(value)) return value.map((item) => expandValue(item, environment));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expandValue(item, environment)]));
};

const isCalled = (key: string, name: string): boolean => key.toLowerCase() === name;

/**
 * A parsed config document with the placeholders in its strings replaced, except those of `auth.credentials`: a password
 * may contain a `$`. Because values are expanded instead of the text, no value can change the structure of the document.
 */
export const expandPlaceholders = (document: unknown, environment: Environment): unknown => {
  if (typeof document !== "object" || document === null || Array.isArray(document)) return document;
  const complete = withDefaultPort(environment);
  const expandAuth = (auth: unknown): unknown =>
    typeof auth !== "object" || auth === null
      ? auth
      : Object.fromEntries(
          Object.entries(auth).map(([key, value]) => [
            key,
            isCalled(key, "credentials") ? value : expandValue(value, complete),
          ]),
        );
  return Object.fromEntries(
    Object.entries(document).map(([key, value]) => [
      key,
      isCalled(key, "auth") ? expandAuth(value) : expandValue(value, complete),
    ]),
  );
};
