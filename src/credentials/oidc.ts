/**
 * Who asks the authentication service, by a bearer token of an OpenID Connect provider (a JWT): its signature, issuer, audience
 * and time are checked.
 */
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from "jose";

export interface OidcOptions {
  /** URL of the provider: `ISSUER/.well-known/openid-configuration` names its keys. */
  readonly issuer: string;
  /** Tokens for others are refused. */
  readonly audience: string;
  /** The claim that is the user. */
  readonly claim: string;
}

export interface Identity {
  readonly user: string;
  /** Milliseconds since the epoch: the token is not valid longer, and nor are credentials that are made for it. */
  readonly expiresAt: number;
}

export type Identified =
  | { readonly ok: true; readonly who: Identity }
  /** 401: the token is not valid; 403: it names no user; 503: the provider does not answer. */
  | { readonly ok: false; readonly status: 401 | 403 | 503; readonly why: string };

/** Only signatures that a key of the provider makes: a token that claims `none`, or a shared secret, is not valid. */
const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
const TIMEOUT_MS = 5000;
const CLOCK_SKEW_SECONDS = 5;

const refuse = (status: 401 | 403 | 503, why: string): Identified => ({ ok: false, status, why });

type Keys = ReturnType<typeof createRemoteJWKSet>;

/** The keys of the provider, which are fetched again when a token names an unknown one. @throws if it does not answer. */
const keysOf = async (issuer: string): Promise<Keys> => {
  const response = await fetch(`${issuer.replace(/\/+$/, "")}/.well-known/openid-configuration`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`the provider answered ${response.status}`);
  const document = (await response.json()) as { readonly issuer?: unknown; readonly jwks_uri?: unknown };
  if (document.issuer !== issuer || typeof document.jwks_uri !== "string")
    throw new Error("the provider's configuration is of another issuer, or names no keys");
  return createRemoteJWKSet(new URL(document.jwks_uri), { timeoutDuration: TIMEOUT_MS });
};

/** Errors that are the token's fault: all others are the provider's. */
const isOfToken = (error: unknown): error is errors.JOSEError =>
  error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout) && !(error instanceof errors.JWKSInvalid);

/** @returns what judges the value of an `Authorization` header. */
export const createOidc = ({ issuer, audience, claim }: OidcOptions) => {
  let keys: Promise<Keys> | undefined;
  return async (authorization: string | undefined): Promise<Identified> => {
    const [, token] = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization ?? "") ?? [];
    if (token === undefined) return refuse(401, "a bearer token of the identity provider is needed");
    let payload: JWTPayload;
    try {
      // A provider that does not answer is asked again by the next request.
      const known = await (keys ??= keysOf(issuer));
      const options = { issuer, audience, algorithms: ALGORITHMS, clockTolerance: CLOCK_SKEW_SECONDS };
      ({ payload } = await jwtVerify(token, known, { ...options, requiredClaims: ["exp"] }));
    } catch (error) {
      if (isOfToken(error)) return refuse(401, `the token is not valid: ${error.message}`);
      keys = undefined;
      return refuse(503, "the identity provider does not answer");
    }
    const user = payload[claim];
    if (typeof user !== "string" || user === "") return refuse(403, `the token has no claim ${claim}`);
    return { ok: true, who: { user, expiresAt: (payload.exp ?? 0) * 1000 } };
  };
};

export type Identify = ReturnType<typeof createOidc>;
