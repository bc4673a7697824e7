/** When the certificates of listeners expire. */
import type { Core } from "../core/core.ts";
import { findCertificate } from "../render/certificate.ts";
import { nameOf, nameOfObject, type Name } from "../resources/keys.ts";
import type { ServedCertificate } from "../resources/view.ts";
import { compareText } from "../order.ts";
import { epochMsOf } from "../resources/time.ts";
import type { Sample } from "./metric.ts";

/** Of a dataplane: the certificates of its config. */
const receivedCertificateEnds = (core: Core): readonly Sample[] =>
  core.view.list("DataplaneConfig").flatMap(({ certificates = [] }) =>
    certificates.map(({ listener, notAfter }) => ({
      labels: { name: listener },
      value: epochMsOf(notAfter) / 1000,
    })),
  );

/** Of several certificates, the first end. */
const endOfAll = ({ notAfter, further = [] }: ServedCertificate): string | undefined =>
  [notAfter, ...further.map((one) => one.notAfter)].filter((end) => end !== undefined).toSorted(compareText)[0];

/** Of the certificate that each listener serves; if none can be served, of the first existing one. */
const renderedCertificateEnds = (core: Core): readonly Sample[] =>
  core.view.list("Gateway").flatMap((gateway) => {
    const { namespace } = gateway.metadata;
    const endOf = (secret: Name): string | undefined => core.view.get("Secret", secret)?.certificate?.notAfter;
    return gateway.spec.listeners.flatMap((served): readonly Sample[] => {
      const { name, tls } = served;
      const found = tls === undefined ? undefined : findCertificate(core.view, core.options, gateway, served);
      const named = (tls?.certificateRefs ?? []).map((ref) => nameOf(ref.namespace ?? namespace, ref.name));
      const end =
        found?.found === true ? endOfAll(found.certificate) : named.flatMap((secret) => endOf(secret) ?? [])[0];
      if (end === undefined) return [];
      const listener = `${nameOfObject("Gateway", gateway)}/${name}`;
      return [{ labels: { name: listener }, value: epochMsOf(end) / 1000 }];
    });
  });

/** Unix seconds, by the name of the listener. */
export const certificateEnds = (core: Core): readonly Sample[] => [
  ...renderedCertificateEnds(core),
  ...receivedCertificateEnds(core),
];
