import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { gatewayConfig } from "../../test/support/objects.ts";
import type { Secret } from "../resources/core.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import type { ObjectKey } from "../resources/keys.ts";
import type { GatewayConfig } from "../resources/stunner.ts";
import { createVault } from "./vault.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const secret = (data: Readonly<Record<string, string>>): Secret => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: {
    name: "s",
    namespace: "ns",
    annotations: { "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify(data), keep: "me" },
  },
  data,
});
const configWith = (credentials: Readonly<Record<string, string>>, cert = "", key = ""): DataplaneConfig => ({
  version: "v1",
  admin: { name: "ns/gw" },
  auth: { type: "static", realm: "r", credentials },
  listeners: [{ name: "ns/gw/tls", protocol: "TURN-TLS", address: "127.0.0.1", port: 1, cert, key }],
});

describe("the vault", () => {
  it("lets no secret through, and gives each back at the last moment", () => {
    const vault = createVault();
    const redacted = vault.redact(
      "GatewayConfig",
      gatewayConfig({ password: "pa$$word", sharedSecret: "shh" }),
    ) as GatewayConfig;
    expect(JSON.stringify(redacted)).not.toMatch(/pa\$\$word|shh/);
    expect(redacted.spec?.userName).toBe("user");
    const revealed = vault.reveal(configWith({ username: "user", password: redacted.spec!.password! }));
    expect(revealed.auth.credentials).toEqual({ username: "user", password: "pa$$word" });
  });

  it("decodes Secrets, keeps what rules read, and drops kubectl's copy of the manifest", () => {
    const vault = createVault();
    const data = { type: base64("ephemeral"), username: base64("me"), secret: base64("hidden") };
    const redacted = vault.redact("Secret", secret(data)) as Secret;
    expect(redacted.data?.["type"]).toBe("ephemeral");
    expect(redacted.data?.["username"]).toBe("me");
    expect(redacted.data?.["secret"]).toMatch(/^vault:[\w-]{22}$/);
    expect(redacted.metadata.annotations).toEqual({ keep: "me" });
    expect(JSON.stringify(redacted)).not.toContain(base64("hidden"));
  });

  it("says of a certificate whether it parses, when it ends and whether the key is its own", () => {
    const folder = mkdtempSync(join(tmpdir(), "turnpike-vault-"));
    const [key, cert] = [join(folder, "k"), join(folder, "c")];
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        key,
        "-out",
        cert,
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
      ],
      { stdio: "ignore" },
    );
    const vault = createVault();
    const data = { "tls.crt": readFileSync(cert).toString("base64"), "tls.key": readFileSync(key).toString("base64") };
    const redacted = vault.redact("Secret", secret(data)) as Secret;
    expect(redacted.certificate).toMatchObject({ parses: true, matchesKey: true });
    expect(Date.parse(redacted.certificate!.notAfter!)).toBeGreaterThan(Date.now());
    const revealed = vault.reveal(configWith({}, redacted.data!["tls.crt"], redacted.data!["tls.key"]));
    expect(revealed.listeners?.[0]?.cert).toBe(data["tls.crt"]);
    expect(revealed.listeners?.[0]?.key).toBe(data["tls.key"]);
    expect((vault.redact("Secret", secret({ "tls.crt": base64("foo") })) as Secret).certificate).toEqual({
      parses: false,
    });
    rmSync(folder, { recursive: true });
  });

  it("gives one value one digest within a run, and another in the next run", () => {
    const digestIn = (vault: ReturnType<typeof createVault>) =>
      (vault.redact("GatewayConfig", gatewayConfig({ password: "p" })) as GatewayConfig).spec?.password;
    const vault = createVault();
    expect(digestIn(vault)).toBe(digestIn(vault));
    expect(digestIn(vault)).not.toBe(digestIn(createVault()));
  });

  it("hides a password that looks like a digest", () => {
    const vault = createVault();
    const redacted = vault.redact("GatewayConfig", gatewayConfig({ password: "vault:x" })) as GatewayConfig;
    expect(vault.reveal(configWith({ password: redacted.spec!.password! })).auth.credentials["password"]).toBe(
      "vault:x",
    );
  });

  it("forgets what is no longer used", () => {
    const vault = createVault();
    for (let n = 0; n < 10; n += 1) vault.redact("GatewayConfig", gatewayConfig({ password: `p${n}` }));
    expect(vault.size).toBe(1);
    vault.forget("GatewayConfig/ns/config" as ObjectKey);
    expect(vault.size).toBe(0);
  });
});
