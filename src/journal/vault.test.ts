import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeCertificate } from "../../test/support/certificate.ts";
import { dataplane, gatewayConfig } from "../../test/support/objects.ts";
import type { Secret, Workload } from "../resources/core.ts";
import type { DataplaneConfig, ReceivedConfig } from "../resources/dataplane-config.ts";
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

const deployment = (labels: Readonly<Record<string, string>>, spec?: Workload["spec"]): Workload => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "d", namespace: "ns", labels },
  ...(spec === undefined ? {} : { spec }),
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
    expect(redacted.metadata.annotations).toBeUndefined();
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
    const received = vault.redact("DataplaneConfig", {
      apiVersion: "turnpike/v1",
      kind: "DataplaneConfig",
      metadata: { name: "gw", namespace: "ns" },
      spec: configWith({}, data["tls.crt"], data["tls.key"]),
    });
    expect(received).toMatchObject({ certificates: [{ notAfter: redacted.certificate!.notAfter! }] });
    const later = createVault(undefined, () => Date.now() + 3 * 24 * 60 * 60_000).redact("Secret", secret(data));
    expect((later as Secret).certificate).toMatchObject({ validity: "expired" });
    expect((vault.redact("Secret", secret({ "tls.crt": base64("foo") })) as Secret).certificate).toEqual({
      parses: false,
    });
    rmSync(folder, { recursive: true });
  });

  it("stores further certificates of a config like the first, and says when the first of them ends", () => {
    const [first, further] = [makeCertificate("first"), makeCertificate("further")];
    const spec = configWith({}, first.cert64, first.key64);
    const certificates = [{ cert: further.cert64, key: further.key64 }];
    const listeners = spec.listeners?.map((listener) => ({ ...listener, certificates }));
    const vault = createVault();
    const received = vault.redact("DataplaneConfig", {
      apiVersion: "turnpike/v1",
      kind: "DataplaneConfig",
      metadata: { name: "gw", namespace: "ns" },
      spec: { ...spec, ...(listeners === undefined ? {} : { listeners }) },
    }) as ReceivedConfig;
    for (const secret of [further.cert64, further.key64]) expect(JSON.stringify(received)).not.toContain(secret);
    expect(received.certificates).toHaveLength(1);
    expect(vault.reveal(received.spec).listeners?.[0]?.certificates).toEqual(certificates);
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

  it("takes stringData for data, as an API server does", () => {
    const vault = createVault();
    const object = { ...secret({ password: base64("old"), username: base64("me") }), stringData: { password: "n€w" } };
    const redacted = vault.redact("Secret", object) as Secret;
    expect(Object.keys(redacted)).toEqual(["apiVersion", "kind", "metadata", "data"]);
    expect(vault.reveal(configWith({ password: redacted.data!["password"]! })).auth.credentials["password"]).toBe(
      "n€w",
    );
  });

  it("lets no field of a GatewayConfig through that it does not know, nor a password that is no string", () => {
    const vault = createVault();
    const spec = { password: 12_345, passwrod: "hidden", realm: "r" } as never;
    const redacted = vault.redact("GatewayConfig", gatewayConfig(spec)) as GatewayConfig;
    expect(JSON.stringify(redacted)).not.toMatch(/12345|hidden/);
    expect(vault.reveal(configWith({ password: redacted.spec!.password! })).auth.credentials["password"]).toBe("12345");
    expect(redacted.spec?.realm).toBe("r");
  });

  it("hides the environment of a Dataplane and of our Deployments, and gives it back", () => {
    const vault = createVault();
    const env = [
      { name: "A", value: "hidden" },
      { name: "B", valueFrom: { fieldRef: {} } },
    ];
    const told = vault.redact("Dataplane", { ...dataplane, spec: { env } }) as typeof dataplane;
    expect(JSON.stringify(told)).not.toContain("hidden");
    const containers = [{ name: "c", env }, { name: "d" }];
    const ours = deployment({ "stunner.l7mp.io/owned-by": "stunner" }, { template: { spec: { containers } } });
    const seen = vault.redact("Deployment", ours) as Workload;
    expect(JSON.stringify(seen)).not.toContain("hidden");
    expect(JSON.stringify(seen)).toContain((told.spec!.env![0] as { value: string }).value);
    expect(vault.revealObject(seen)).toEqual(ours);
  });

  it("lets of other Deployments only through that they are there", () => {
    const vault = createVault();
    const other = deployment(
      { app: "db" },
      { template: { spec: { containers: [{ env: [], args: ["--p=hidden"] }] } } },
    );
    expect(vault.redact("Deployment", other)).toEqual(deployment({ app: "db" }));
    expect(vault.size).toBe(0);
  });

  it("takes what it keeps out of what others say", () => {
    const vault = createVault();
    vault.redact("Secret", secret({ password: base64('s3cr"et'), short: base64("a") }));
    expect(vault.scrub(`a {"password":"s3cr\\"et"}, s3cr"et, ${base64('s3cr"et')}`)).toBe('a {"password":"…"}, …, …');
  });

  it("keeps what a config refers to after the object is gone, until no config does", () => {
    const vault = createVault();
    const object = "Secret/ns/s" as ObjectKey;
    const { data } = vault.redact("Secret", secret({ "tls.crt": base64("c"), "tls.key": base64("k") })) as Secret;
    const [cert, key] = [data!["tls.crt"]!, data!["tls.key"]!];
    vault.hold(new Set([cert, key]));
    vault.redact("Secret", secret({ "tls.crt": base64("other"), "tls.key": base64("k") }));
    vault.forget(object);
    expect(vault.size).toBe(2);
    expect(vault.reveal(configWith({}, cert, key)).listeners).toMatchObject([{ cert: base64("c"), key: base64("k") }]);
    vault.hold(new Set([key]));
    expect(vault.size).toBe(1);
    vault.hold(new Set());
    expect(vault.size).toBe(0);
  });

  it("does not release what an object still has", () => {
    const vault = createVault();
    const { data } = vault.redact("Secret", secret({ "tls.crt": base64("c"), "tls.key": base64("k") })) as Secret;
    vault.hold(new Set(Object.values(data!)));
    vault.hold(new Set());
    expect(vault.size).toBe(2);
  });

  it.each([
    ["the certificate of listener ns/gw/tls", configWith({}, "vault:gone")],
    ["the private key of listener ns/gw/tls", configWith({}, "", "vault:gone")],
    ["the credential password of ns/gw", configWith({ username: "u", password: "vault:gone" })],
  ])("reveals no config in part: without %s it says so", (what, config) =>
    expect(() => createVault().reveal(config)).toThrow(
      expect.objectContaining({ code: "secret-unknown", message: `${what} is no longer in memory` }),
    ),
  );

  it("reveals no object in part", () => {
    const env = [{ name: "A", value: "vault:gone" }];
    const object = deployment({}, { template: { spec: { containers: [{ name: "c", env }] } } });
    expect(() => createVault().revealObject(object)).toThrow("the value of variable A is no longer in memory");
  });

  it("takes a user name for what it is, also one that looks like a digest", () => {
    const config = configWith({ username: "vault:x" });
    expect(createVault().reveal(config).auth.credentials).toEqual({ username: "vault:x" });
  });

  it("forgets what is no longer used", () => {
    const vault = createVault();
    for (let n = 0; n < 10; n += 1) vault.redact("GatewayConfig", gatewayConfig({ password: `p${n}` }));
    expect(vault.size).toBe(1);
    vault.forget("GatewayConfig/ns/config" as ObjectKey);
    expect(vault.size).toBe(0);
  });
});
