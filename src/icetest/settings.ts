/** Settings of an ICE tester: from its environment, and from `POST /config`. The names are those of STUNner's. */
import { TurnpikeError } from "../errors.ts";

export interface IceServer {
  readonly urls: readonly string[];
  readonly username?: string;
  readonly credential?: string;
}

export interface TesterSettings {
  readonly iceServers: readonly IceServer[];
  readonly iceTransportPolicy: "all" | "relay";
  /** The token of WHIP requests; empty: none. */
  readonly bearerToken: string;
  readonly whipEndpoint: string;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isString = (value: unknown): value is string => typeof value === "string";

/** @throws TurnpikeError `usage`, which quotes no credential. */
export const parseIceServers = (value: unknown): readonly IceServer[] => {
  const refuse = (why: string): never => {
    throw new TurnpikeError("usage", `ICE servers: ${why}`);
  };
  if (value === null) return [];
  if (!Array.isArray(value)) return refuse("expected a JSON array");
  return value.map((one: unknown): IceServer => {
    if (!isObject(one)) return refuse("each is an object with urls");
    const { urls, username, credential } = one;
    const all: readonly unknown[] = Array.isArray(urls) ? urls : [urls];
    if (all.length === 0 || !all.every(isString)) return refuse("urls is a text or a list of texts");
    return {
      urls: all,
      ...(isString(username) && { username }),
      ...(isString(credential) && { credential }),
    };
  });
};

/** @throws TurnpikeError `usage`. */
export const parsePolicy = (text: string): TesterSettings["iceTransportPolicy"] => {
  if (text === "all" || text === "relay") return text;
  throw new TurnpikeError("usage", `the ICE transport policy is all or relay, not ${JSON.stringify(text)}`);
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    throw new TurnpikeError("usage", "ICE_SERVERS is not JSON");
  }
};

/** @throws TurnpikeError `usage`. */
export const settingsOf = (environment: NodeJS.ProcessEnv): TesterSettings => {
  const whipEndpoint = environment["WHIP_ENDPOINT"] || "/whip";
  if (!whipEndpoint.startsWith("/")) throw new TurnpikeError("usage", "WHIP_ENDPOINT has to begin with a /");
  return {
    iceServers: parseIceServers(parseJson(environment["ICE_SERVERS"] || "[]")),
    iceTransportPolicy: parsePolicy(environment["ICE_TRANSPORT_POLICY"] || "all"),
    bearerToken: environment["BEARER_TOKEN"] ?? "",
    whipEndpoint: whipEndpoint.replace(/\/+$/, "") || "/",
  };
};

/**
 * Settings with the changes of a `POST /config` document. The endpoint stays, and an empty token changes nothing. @throws
 * TurnpikeError `usage`.
 */
export const changedBy = (settings: TesterSettings, document: unknown): TesterSettings => {
  if (!isObject(document)) throw new TurnpikeError("usage", "expected a JSON object");
  const { ICEServers: servers, ICETransportPolicy: policy, BearerToken: token } = document;
  return {
    ...settings,
    ...(servers === undefined ? {} : { iceServers: parseIceServers(servers) }),
    ...(isString(policy) && policy !== "" ? { iceTransportPolicy: parsePolicy(policy) } : {}),
    ...(isString(token) && token !== "" ? { bearerToken: token } : {}),
  };
};

/** As in `GET /config`. The token is not shown: clients that know it do not need it. */
export const shownSettings = (settings: TesterSettings) => ({
  ICEServers: settings.iceServers,
  ICETransportPolicy: settings.iceTransportPolicy,
  BearerToken: settings.bearerToken === "" ? "" : "********",
  WHIPEndpoint: settings.whipEndpoint,
});
