/**
 * The certificate that a TLS or DTLS listener serves. Contents are digests here; what they are worth was looked at where
 * they came in (`journal/certificate.ts`).
 */
import type { CertificateProblem as Fault, CertificateState } from "../resources/core.ts";
import type { Gateway, GatewayListener, SecretReference } from "../resources/gateway-api.ts";
import type { ObjectsView, RenderOptions } from "../resources/view.ts";
import { nameOf, type Name } from "../resources/keys.ts";
import { mayReferToSecret } from "./grants.ts";
import { isFirstEdition } from "./rules.ts";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** As the listener's ResolvedRefs condition says it. */
export type CertificateProblem = "InvalidCertificateRef" | "RefNotPermitted";

export type FoundCertificate =
  | {
      readonly found: true;
      readonly certificate: Certificate;
      readonly secret: Name;
      /** It is served, as no other can be; clients that check it refuse it. */
      readonly flaw: { readonly reason: CertificateProblem; readonly why: string } | undefined;
    }
  | { readonly found: false; readonly reason: CertificateProblem; readonly why: string };

const failed = (why: string, reason: CertificateProblem = "InvalidCertificateRef"): FoundCertificate => ({
  found: false,
  reason,
  why,
});

const faults: Readonly<Record<Fault, string>> = {
  "key-unreadable": "the private key cannot be read",
  "key-mismatch": "the private key does not match the certificate",
  "not-for-servers": "the certificate is not for servers: its extended key usage lacks serverAuth",
  "not-for-handshakes": "the certificate is not for servers: its key usage allows neither signatures nor key exchange",
  unusable: "the certificate or its chain cannot be used",
};

/** Nothing is known of a certificate that nobody has looked at. */
const faultOf = (state: CertificateState | undefined): string | undefined => {
  if (state?.parses === false) return "the certificate cannot be read";
  return state?.problem && faults[state.problem];
};

/** Judged when the Secret was seen, and again when such a moment passes. */
const validityFlaw = (state: CertificateState | undefined): string | undefined => {
  if (state?.validity === undefined) return undefined;
  return state.validity === "expired"
    ? `the certificate expired at ${state.notAfter}`
    : `the certificate is not valid before ${state.notBefore}`;
};

const certificateIn = (
  view: ObjectsView,
  options: RenderOptions,
  gateway: Gateway,
  reference: SecretReference,
): FoundCertificate => {
  const { group = "", kind = "Secret" } = reference;
  const name = nameOf(reference.namespace ?? gateway.metadata.namespace, reference.name);
  if ((group !== "" && group !== "v1") || kind !== "Secret") return failed(`certificateRef ${name} is not a Secret`);
  if (!mayReferToSecret(view, options, gateway, name))
    return failed(`no ReferenceGrant lets the Gateway refer to Secret ${name}`, "RefNotPermitted");
  const secret = view.get("Secret", name);
  if (secret === undefined) return failed(`Secret ${name} not found`);
  const data = secret.data ?? {};
  const cert = data["tls.crt"] || data["crt"] || data["cert"];
  const key = data["tls.key"] || data["key"];
  if (!cert || !key) return failed(`Secret ${name} has no certificate or no key`);
  // The first release served whatever was there.
  const state = isFirstEdition(options) ? undefined : secret.certificate;
  const fault = faultOf(state);
  if (fault !== undefined) return failed(`Secret ${name}: ${fault}`);
  const flaw = validityFlaw(state);
  return {
    found: true,
    certificate: { cert, key },
    secret: name,
    flaw: flaw === undefined ? undefined : { reason: "InvalidCertificateRef", why: `Secret ${name}: ${flaw}` },
  };
};

/**
 * The first usable certificate of `listener`. One that terminates TLS but has none cannot serve:
 * a dataplane would refuse the whole config for it.
 */
export const findCertificate = (
  view: ObjectsView,
  options: RenderOptions,
  gateway: Gateway,
  listener: GatewayListener,
): FoundCertificate => {
  const mode = listener.tls?.mode ?? "Terminate";
  if (mode !== "Terminate") return failed(`TLS mode ${mode} is not supported`);
  const results = (listener.tls?.certificateRefs ?? []).map((reference) =>
    certificateIn(view, options, gateway, reference),
  );
  return (
    results.find((one) => one.found && one.flaw === undefined) ??
    // Calls in progress must outlive the moment at which a certificate expires.
    results.find(({ found }) => found) ??
    results.at(-1) ??
    failed("no certificateRefs")
  );
};
