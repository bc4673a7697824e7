/** Who may talk to a cluster: tokens, the key that signs those of service accounts, and kubeconfigs. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Access } from "./client.ts";

/** The file's text, made and written first if there is none. */
const kept = (file: string, make: () => string): string => {
  if (!existsSync(file)) writeFileSync(file, make(), { mode: 0o600 });
  return readFileSync(file, "utf8");
};

/** Keys and tokens of a folder; those of an earlier cluster stay valid. */
export const credentialsIn = (directory: string) => {
  const signingKey = join(directory, "service-accounts.key");
  kept(
    signingKey,
    () =>
      generateKeyPairSync("rsa", {
        modulusLength: 2048,
        publicKeyEncoding: { type: "spki", format: "pem" },
        privateKeyEncoding: { type: "pkcs1", format: "pem" },
      }).privateKey,
  );
  const tokens = join(directory, "tokens.csv");
  const text = kept(tokens, () =>
    ["admin", "system:kube-controller-manager"]
      .map((user) => `${randomBytes(16).toString("hex")},${user},${user},system:masters\n`)
      .join(""),
  );
  const [token = "", controllerManagerToken = ""] = text.split("\n").map((line) => line.split(",")[0] ?? "");
  return { signingKey, tokens, token, controllerManagerToken };
};

export const writeKubeconfig = (file: string, { url, token, ca }: Access & { readonly ca: string }): void => {
  const name = "turnpike-test";
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server: url, "certificate-authority-data": Buffer.from(ca).toString("base64") } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: "default" } }],
    "current-context": name,
  };
  writeFileSync(file, stringify(config), { mode: 0o600 });
};
