/**
 * The last usable certificate of each TLS or DTLS listener, by Gateway and section name. A listener keeps it while its
 * Secret is unusable. It follows from earlier renderings, so only certificates that are no longer in the objects are
 * recorded.
 */
import { splitName, type Name } from "../resources/keys.ts";
import type { ServedCertificate } from "../resources/view.ts";
import type { ListenerCertificate, RenderedGateway } from "../render/gateway.ts";
import { compareText } from "../order.ts";

/** Certificates that are no longer in any Secret, by the section name of the listener. */
export type KeptCertificates = Readonly<Record<string, ServedCertificate>>;

export interface Certificates {
  of(gateway: Name, listener: string): ServedCertificate | undefined;
  /** Records what was rendered. Returns the certificates that exist only here, if there are any. */
  take(gateway: Name, rendered: RenderedGateway | undefined): KeptCertificates | undefined;
  /** Gateways with a certificate of a Secret in this namespace. */
  gatewaysWithSecretsIn(namespace: string): readonly Name[];
  /** What configs may refer to: digests of certificates and keys. The same set object until something changes. */
  readonly digests: ReadonlySet<string>;
  /** In the order of the Gateways' names. */
  export(): readonly (readonly [gateway: Name, KeptCertificates])[];
}

type ByListener = ReadonlyMap<string, ListenerCertificate>;

const NONE: ByListener = new Map();

const keptOf = (certificates: ByListener): KeptCertificates | undefined => {
  const kept = [...certificates].flatMap(([listener, { served, isKept }]) => (isKept ? [[listener, served]] : []));
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
};

const allOf = (served: ServedCertificate): readonly ServedCertificate[] => [served, ...(served.further ?? [])];

const digestsOf = (certificates: ByListener): readonly string[] =>
  [...certificates.values()].flatMap(({ served }) => allOf(served).flatMap(({ cert, key }) => [cert, key]));

export const createCertificates = (restored: ReturnType<Certificates["export"]> = []): Certificates => {
  const byGateway = new Map<Name, ByListener>(
    restored.map(([gateway, kept]) => [
      gateway,
      new Map(Object.entries(kept).map(([listener, served]) => [listener, { served, isKept: true }])),
    ]),
  );
  let digests: ReadonlySet<string> | undefined;

  return {
    of: (gateway, listener) => byGateway.get(gateway)?.get(listener)?.served,
    take(gateway, rendered) {
      const before = byGateway.get(gateway) ?? NONE;
      const now: ByListener = new Map(
        rendered?.listeners.flatMap(({ name, certificate }) =>
          certificate === undefined ? [] : [[name, certificate]],
        ),
      );
      if (now.size > 0) byGateway.set(gateway, now);
      else byGateway.delete(gateway);
      if (digestsOf(before).join() !== digestsOf(now).join()) digests = undefined;
      return keptOf(now);
    },
    gatewaysWithSecretsIn: (namespace) =>
      [...byGateway].flatMap(([gateway, certificates]) =>
        [...certificates.values()].some(({ served }) =>
          allOf(served).some(({ secret }) => splitName(secret).namespace === namespace),
        )
          ? [gateway]
          : [],
      ),
    get digests() {
      return (digests ??= new Set([...byGateway.values()].flatMap(digestsOf)));
    },
    export: () =>
      [...byGateway]
        .flatMap(([gateway, certificates]) => {
          const kept = keptOf(certificates);
          return kept === undefined ? [] : [[gateway, kept] as const];
        })
        .toSorted(([a], [b]) => compareText(a, b)),
  };
};
