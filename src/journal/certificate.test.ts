import { describe, expect, it } from "vitest";
import { makeCertificate } from "../../test/support/certificate.ts";
import { inspectCertificate, validityAt } from "./certificate.ts";

const DAY_MS = 24 * 60 * 60_000;
/** After all of them were made. */
const now = Date.now() + DAY_MS;
const good = makeCertificate();
const other = makeCertificate();
const pem = (text: string): Buffer => Buffer.from(text);
const inspect = (certificate: string, key: string, at = now) => inspectCertificate(pem(certificate), pem(key), at);

describe("a certificate", () => {
  it.each([
    ["EC", good],
    ["RSA", makeCertificate("localhost", "rsa")],
    ["for servers", makeCertificate("localhost", "ec", ["extendedKeyUsage=clientAuth,serverAuth"])],
    ["for anything", makeCertificate("localhost", "ec", ["extendedKeyUsage=anyExtendedKeyUsage"])],
    ["that signs", makeCertificate("localhost", "ec", ["keyUsage=critical,digitalSignature,keyCertSign"])],
    ["that agrees on keys", makeCertificate("localhost", "ec", ["keyUsage=keyAgreement"])],
  ])("can serve: %s", (_, { certificate, key }) => {
    const state = inspect(certificate, key);
    expect(state).toEqual({
      parses: true,
      matchesKey: true,
      notBefore: expect.stringMatching(/Z$/),
      notAfter: expect.stringMatching(/Z$/),
    });
  });

  it("may come with a chain", () =>
    expect(inspect(good.certificate + other.certificate, good.key)).not.toHaveProperty("problem"));

  it.each([
    ["of another key", good.certificate, other.key, "key-mismatch"],
    ["behind another one", other.certificate + good.certificate, good.key, "key-mismatch"],
    [
      "whose key cannot be read",
      good.certificate,
      "-----BEGIN PRIVATE KEY-----\nYmFy\n-----END PRIVATE KEY-----\n",
      "key-unreadable",
    ],
    ["whose key is a certificate", good.certificate, good.certificate, "key-unreadable"],
    [
      "whose chain cannot be read",
      `${good.certificate}-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n`,
      good.key,
      "unusable",
    ],
  ])("cannot serve: %s", (_, certificate, key, problem) =>
    expect(inspect(certificate, key)).toMatchObject({ problem }),
  );

  it.each([
    ["for clients", ["extendedKeyUsage=clientAuth"], "not-for-servers"],
    ["for e-mail", ["extendedKeyUsage=emailProtection,codeSigning"], "not-for-servers"],
    ["of an authority", ["keyUsage=critical,keyCertSign,cRLSign"], "not-for-handshakes"],
    ["of an authority, not critical", ["keyUsage=keyCertSign"], "not-for-handshakes"],
  ])("cannot serve by its purpose: %s", (_, extensions, problem) => {
    const { certificate, key } = makeCertificate("localhost", "ec", extensions);
    expect(inspect(certificate, key)).toMatchObject({ parses: true, problem });
  });

  it.each(["foo", "", "-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n", good.key])(
    "cannot be read: %j",
    (text) => expect(inspect(text, good.key)).toEqual({ parses: false }),
  );

  it("is valid from its first moment to its last", () => {
    expect(inspect(good.certificate, good.key, now + 30 * DAY_MS)).toMatchObject({ validity: "expired" });
    expect(inspect(good.certificate, good.key, now - 3 * DAY_MS)).toMatchObject({ validity: "not-yet-valid" });
    const dates = { notBefore: new Date(1000).toISOString(), notAfter: new Date(2000).toISOString() };
    expect([999, 1000, 1999, 2000].map((at) => validityAt(dates, at))).toEqual([
      "not-yet-valid",
      undefined,
      undefined,
      "expired",
    ]);
  });
});
