/** Certificates for tests, made by openssl. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsMaterial } from "../../src/discovery/server.ts";

export interface TestCertificate {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  /** As in configs: base64 of the PEM. */
  readonly cert64: string;
  readonly key64: string;
}

const LOOPBACK = "DNS:localhost,IP:127.0.0.1,IP:::1,IP:10.244.0.1";

/**
 * Self-signed, for loopback, valid for 30 days.
 * @param name its common name.
 * @param extensions as `openssl req -addext` takes them.
 * @param names its alternative names.
 */
export const makeCertificate = (
  name = "localhost",
  kind: "ec" | "rsa" = "ec",
  extensions: readonly string[] = [],
  names = LOOPBACK,
): TestCertificate => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-certificate-"));
  try {
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
    const algorithm = kind === "ec" ? ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] : ["rsa:2048"];
    const args = ["req", "-x509", "-nodes", "-days", "30", "-subj", `/CN=${name}`, "-newkey", ...algorithm];
    execFileSync(
      "openssl",
      [
        ...args,
        "-addext",
        `subjectAltName=${names}`,
        ...extensions.flatMap((one) => ["-addext", one]),
        "-keyout",
        key,
        "-out",
        certificate,
      ],
      { stdio: "ignore" },
    );
    const [pem, keyPem] = [readFileSync(certificate, "utf8"), readFileSync(key, "utf8")];
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    return { certificate: pem, key: keyPem, cert64: base64(pem), key64: base64(keyPem) };
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** A new one, as servers of Node take it. */
export const newCertificate = (): TlsMaterial => {
  const { certificate, key } = makeCertificate("turnpike");
  return { cert: certificate, key };
};
