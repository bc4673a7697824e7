/** The certificate that a TLS or DTLS listener serves. Contents are digests here; whether it parses is not asked. */
import type { Gateway, GatewayListener, SecretReference } from "../resources/gateway-api.ts";
import type { ObjectsView, RenderOptions } from "../resources/view.ts";
import { nameOf } from "../resources/keys.ts";
import { mayReferToSecret } from "./grants.ts";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** As the listener's ResolvedRefs condition says it. */
export type CertificateProblem = "InvalidCertificateRef" | "RefNotPermitted";

export type FoundCertificate =
  | { readonly found: true; readonly certificate: Certificate }
  | { readonly found: false; readonly reason: CertificateProblem; readonly why: string };

const failed = (why: string, reason: CertificateProblem = "InvalidCertificateRef"): FoundCertificate => ({
  found: false,
  reason,
  why,
});

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
  return cert && key
    ? { found: true, certificate: { cert, key } }
    : failed(`Secret ${name} has no certificate or no key`);
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
  return results.find(({ found }) => found) ?? results.at(-1) ?? failed("no certificateRefs");
};
