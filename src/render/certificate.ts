/**
 * The certificates that a TLS or DTLS listener serves. Contents are digests here; `journal/certificate.ts` checked them on
 * input.
 */
import type { CertificateProblem as Fault, CertificateState } from "../resources/core.ts";
import type { Gateway, GatewayListener, SecretReference } from "../resources/gateway-api.ts";
import type { ObjectsView, RenderOptions, ServedCertificate } from "../resources/view.ts";
import { nameOf, nameOfObject, type Name } from "../resources/keys.ts";
import { mayReferToSecret } from "./grants.ts";
import { listenerProtocol, needsCertificate } from "./protocol.ts";
import { isFirstEdition, servesOneCertificate } from "./rules.ts";

/** As in the listener's ResolvedRefs condition. */
export type CertificateProblem = "InvalidCertificateRef" | "RefNotPermitted";

interface Flaw {
  readonly reason: CertificateProblem;
  readonly why: string;
}

type NotFound = Flaw & { readonly found: false };

export type FoundCertificate =
  | {
      readonly found: true;
      readonly certificate: ServedCertificate;
      /** No Secret that the listener names contains it: it is the last valid one. */
      readonly isKept: boolean;
      /** It is served, because there is no other. */
      readonly flaw: Flaw | undefined;
    }
  | NotFound;

const failed = (why: string, reason: CertificateProblem = "InvalidCertificateRef"): NotFound => ({
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

/** A certificate that was not checked is unknown. */
const faultOf = (state: CertificateState | undefined): string | undefined => {
  if (state?.parses === false) return "the certificate cannot be read";
  return state?.problem && faults[state.problem];
};

/** Judged when the Secret was read, and again when its validity begins or ends. */
const validityFlaw = (state: CertificateState | undefined): string | undefined => {
  if (state?.validity === undefined) return undefined;
  return state.validity === "expired"
    ? `the certificate expired at ${state.notAfter}`
    : `the certificate is not valid before ${state.notBefore}`;
};

const secretOf = (gateway: Gateway, { namespace, name }: SecretReference): Name =>
  nameOf(namespace ?? gateway.metadata.namespace, name);

const certificateIn = (
  view: ObjectsView,
  options: RenderOptions,
  gateway: Gateway,
  reference: SecretReference,
): FoundCertificate => {
  const { group = "", kind = "Secret" } = reference;
  const name = secretOf(gateway, reference);
  if ((group !== "" && group !== "v1") || kind !== "Secret") return failed(`certificateRef ${name} is not a Secret`);
  if (!mayReferToSecret(view, options, gateway, name))
    return failed(`no ReferenceGrant lets the Gateway refer to Secret ${name}`, "RefNotPermitted");
  const secret = view.get("Secret", name);
  if (secret === undefined) return failed(`Secret ${name} not found`);
  const data = secret.data ?? {};
  const cert = data["tls.crt"] || data["crt"] || data["cert"];
  const key = data["tls.key"] || data["key"];
  if (!cert || !key) return failed(`Secret ${name} has no certificate or no key`);
  // The first release served every certificate.
  const state = isFirstEdition(options) ? undefined : secret.certificate;
  const fault = faultOf(state);
  if (fault !== undefined) return failed(`Secret ${name}: ${fault}`);
  const flaw = validityFlaw(state);
  return {
    found: true,
    certificate: {
      cert,
      key,
      secret: name,
      ...(state?.notAfter === undefined ? {} : { notAfter: state.notAfter }),
      ...(flaw === undefined ? {} : { isFlawed: true }),
    },
    isKept: false,
    flaw: flaw === undefined ? undefined : { reason: "InvalidCertificateRef", why: `Secret ${name}: ${flaw}` },
  };
};

const modeOf = ({ tls }: GatewayListener): string => tls?.mode ?? "Terminate";

/**
 * The last usable certificates of `listener`, by Secret, which it serves while it has no others: a change to a Secret must
 * not end calls. They are dropped when the listener no longer terminates TLS or DTLS, and when a ReferenceGrant is
 * withdrawn.
 */
const lastCertificates = (
  view: ObjectsView,
  options: RenderOptions,
  gateway: Gateway,
  listener: GatewayListener,
): readonly ServedCertificate[] => {
  const protocol = listenerProtocol(listener.protocol);
  if (protocol === undefined || !needsCertificate(protocol) || modeOf(listener) !== "Terminate") return [];
  // The first release ended the calls.
  if (isFirstEdition(options)) return [];
  const last = view.lastCertificateOf(nameOfObject("Gateway", gateway), listener.name);
  if (last === undefined) return [];
  const { further = [], ...first } = last;
  return [first, ...further].filter(({ secret }) => mayReferToSecret(view, options, gateway, secret));
};

const together = ([first, ...further]: readonly ServedCertificate[]): ServedCertificate | undefined =>
  first === undefined || further.length === 0 ? first : { ...first, further };

export const lastCertificate = (
  view: ObjectsView,
  options: RenderOptions,
  gateway: Gateway,
  listener: GatewayListener,
): ServedCertificate | undefined => together(lastCertificates(view, options, gateway, listener));

const isSame = (a: ServedCertificate, b: ServedCertificate): boolean => a.cert === b.cert && a.key === b.key;

const keep = (certificate: ServedCertificate, { reason, why }: Flaw): FoundCertificate => {
  const validity = certificate.notAfter === undefined ? "" : ` (valid until ${certificate.notAfter})`;
  const flaw: Flaw = { reason, why: `${why}; the last good certificate is served${validity}` };
  return { found: true, certificate, isKept: true, flaw };
};

/** Of `found` and the `last` usable one, the better. Calls in progress must outlive the expiry of a certificate. */
const better = (found: FoundCertificate, last: ServedCertificate | undefined): FoundCertificate => {
  if (last === undefined) return found;
  if (!found.found) return keep(last, found);
  const isBest = found.flaw === undefined || last.isFlawed === true || isSame(last, found.certificate);
  return isBest ? found : keep(last, found.flaw ?? failed(""));
};

type Found = Extract<FoundCertificate, { readonly found: true }>;

/** All of them: the first that is valid is the default. The flaw of one concerns only itself. */
const several = (results: readonly FoundCertificate[], last: readonly ServedCertificate[]): FoundCertificate => {
  const usable = results.filter((one): one is Found => one.found);
  const first = usable.find(({ certificate }) => certificate.isFlawed !== true) ?? usable[0];
  if (first === undefined) {
    const kept = together(last);
    const failure = results.findLast((one) => !one.found) ?? failed("no certificateRefs");
    return kept === undefined ? failure : keep(kept, failure);
  }
  // All have expired: the last valid one is better, even if its Secret is no longer referred to.
  const main = first.certificate.isFlawed === true ? (better(first, last[0]) as Found) : first;
  const further = usable.map(({ certificate }) => certificate).filter((one) => !isSame(one, main.certificate));
  const [flaw, ...flaws] = results
    .map((one) => (one === first ? main : one))
    .flatMap((one) => (one.found ? (one.flaw ?? []) : one));
  return {
    found: true,
    certificate: together([main.certificate, ...further]) ?? main.certificate,
    isKept: main.isKept || usable.some(({ isKept }) => isKept),
    flaw: flaw && { reason: flaw.reason, why: [flaw, ...flaws].map(({ why }) => why).join("; ") },
  };
};

/** Under earlier rules: the first usable certificate, or the last one that was usable. */
const firstUsable = (results: readonly FoundCertificate[], last: ServedCertificate | undefined): FoundCertificate => {
  const usable = results.filter((one) => one.found);
  const good = usable.find(({ flaw }) => flaw === undefined);
  if (good !== undefined) return good;
  const [flawed] = usable;
  return better(flawed ?? results.findLast((one) => !one.found) ?? failed("no certificateRefs"), last);
};

/**
 * The usable certificates of `listener`, for each Secret the last one that was usable if it has none. A listener that
 * terminates TLS but never had a certificate cannot serve: a dataplane would reject the whole config because of it.
 */
export const findCertificate = (
  view: ObjectsView,
  options: RenderOptions,
  gateway: Gateway,
  listener: GatewayListener,
): FoundCertificate => {
  const mode = modeOf(listener);
  if (mode !== "Terminate") return failed(`TLS mode ${mode} is not supported`);
  const last = lastCertificates(view, options, gateway, listener);
  const named = new Map(
    (listener.tls?.certificateRefs ?? []).map((reference) => [secretOf(gateway, reference), reference]),
  );
  if (servesOneCertificate(options))
    return firstUsable(
      (listener.tls?.certificateRefs ?? []).map((reference) => certificateIn(view, options, gateway, reference)),
      last[0],
    );
  const results = [...named].map(([name, reference]) =>
    better(
      certificateIn(view, options, gateway, reference),
      last.find(({ secret }) => secret === name),
    ),
  );
  return several(results, last);
};
