/** The certificate that a TLS or DTLS listener serves. Contents are digests here; whether it parses is not asked. */
import type { Gateway, GatewayListener, SecretReference } from "../resources/gateway-api.ts";
import type { ObjectsView } from "../resources/view.ts";
import { nameOf } from "../resources/keys.ts";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export type FoundCertificate =
  | { readonly found: true; readonly certificate: Certificate }
  | { readonly found: false; readonly why: string };

const certificateIn = (view: ObjectsView, gateway: Gateway, reference: SecretReference): FoundCertificate => {
  const { group = "", kind = "Secret" } = reference;
  const name = nameOf(reference.namespace ?? gateway.metadata.namespace, reference.name);
  if ((group !== "" && group !== "v1") || kind !== "Secret")
    return { found: false, why: `certificateRef ${name} is not a Secret` };
  const secret = view.get("Secret", name);
  if (secret === undefined) return { found: false, why: `Secret ${name} not found` };
  const data = secret.data ?? {};
  const cert = data["tls.crt"] || data["crt"] || data["cert"];
  const key = data["tls.key"] || data["key"];
  return cert && key
    ? { found: true, certificate: { cert, key } }
    : { found: false, why: `Secret ${name} has no certificate or no key` };
};

/**
 * The first usable certificate of `listener`. One that terminates TLS but has none cannot serve:
 * a dataplane would refuse the whole config for it.
 */
export const findCertificate = (view: ObjectsView, gateway: Gateway, listener: GatewayListener): FoundCertificate => {
  const mode = listener.tls?.mode ?? "Terminate";
  if (mode !== "Terminate") return { found: false, why: `TLS mode ${mode} is not supported` };
  const results = (listener.tls?.certificateRefs ?? []).map((reference) => certificateIn(view, gateway, reference));
  return results.find(({ found }) => found) ?? results.at(-1) ?? { found: false, why: "no certificateRefs" };
};
