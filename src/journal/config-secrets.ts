/** The secrets of a config that a dataplane receives: credentials, certificates and keys. */
import type { DataplaneConfig, ReceivedConfig } from "../resources/dataplane-config.ts";
import { inspectCertificate } from "./certificate.ts";
import { compareText } from "../order.ts";
import { bytesOf, PLAIN_KEYS, type Seal } from "./seal.ts";
import type { Secrets } from "./secrets.ts";

export const redactReceived = (object: ReceivedConfig, seal: Seal): ReceivedConfig => {
  const { auth, listeners, ...rest } = object.spec;
  const credentials = Object.entries(auth.credentials).map(([name, value]) => [
    name,
    PLAIN_KEYS.has(name) ? value : seal.put(bytesOf(value)),
  ]);
  const material = (base64: string): string => seal.put(Buffer.from(base64, "base64"));
  const endOf = (cert: string | undefined): string | undefined =>
    cert ? inspectCertificate(Buffer.from(cert, "base64"), undefined, seal.nowMs).notAfter : undefined;
  const certificates = (listeners ?? []).flatMap(({ name, cert, certificates: further = [] }) => {
    const ends = [cert, ...further.map((one) => one.cert)].flatMap((one) => endOf(one) ?? []);
    const [notAfter] = ends.toSorted(compareText);
    return notAfter === undefined ? [] : [{ listener: name, notAfter }];
  });
  return {
    ...object,
    ...(certificates.length > 0 ? { certificates } : {}),
    spec: {
      ...rest,
      auth: { ...auth, credentials: Object.fromEntries(credentials) },
      ...(listeners === undefined
        ? {}
        : {
            listeners: listeners.map((listener) => ({
              ...listener,
              ...(listener.cert === undefined ? {} : { cert: material(listener.cert) }),
              ...(listener.key === undefined ? {} : { key: material(listener.key) }),
              ...(listener.certificates === undefined
                ? {}
                : {
                    certificates: listener.certificates.map(({ cert, key }) => ({
                      cert: material(cert),
                      key: material(key),
                    })),
                  }),
            })),
          }),
    },
  };
};

/**
 * `config` with values in place of digests: certificates and keys in base64, the rest as text.
 * @throws TurnpikeError `secret-unknown` for a digest without a value.
 */
export const revealConfig = (config: DataplaneConfig, { valueOf }: Secrets): DataplaneConfig => ({
  ...config,
  auth: {
    ...config.auth,
    credentials: Object.fromEntries(
      Object.entries(config.auth.credentials).map(([name, value]) => [
        name,
        PLAIN_KEYS.has(name) ? value : valueOf(value, "utf8", `the credential ${name} of ${config.admin.name}`),
      ]),
    ),
  },
  ...(config.listeners === undefined
    ? {}
    : {
        listeners: config.listeners.map((listener) => ({
          ...listener,
          ...(listener.cert === undefined
            ? {}
            : { cert: valueOf(listener.cert, "base64", `the certificate of listener ${listener.name}`) }),
          ...(listener.key === undefined
            ? {}
            : { key: valueOf(listener.key, "base64", `the private key of listener ${listener.name}`) }),
          ...(listener.certificates === undefined
            ? {}
            : {
                certificates: listener.certificates.map(({ cert, key }) => ({
                  cert: valueOf(cert, "base64", `a certificate of listener ${listener.name}`),
                  key: valueOf(key, "base64", `a private key of listener ${listener.name}`),
                })),
              }),
        })),
      }),
});
