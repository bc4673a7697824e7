/** Every place of a cluster, or of a directory of manifests, where somebody keeps a secret; each has a canary in it. */
import type { TestCertificate } from "../support/certificate.ts";
import type { Aviary } from "../support/canaries.ts";
import type { Made } from "../support/fake-api.ts";

export const NAMESPACE = "media";
export const USERNAME = "alice";
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

export interface SecretWorld {
  readonly objects: readonly Made[];
  /** By gateway: how clients log in. */
  readonly passwords: Readonly<Record<"inline" | "data" | "string", string>>;
  readonly sharedSecret: string;
}

export interface WorldPorts {
  readonly inline: number;
  readonly tls: number;
  readonly shared: number;
  readonly data: number;
  readonly string: number;
}

export const REALMS = ["inline", "shared", "data", "string"] as const;

const object = (apiVersion: string, kind: string, name: string, rest: Readonly<Record<string, unknown>>): Made => ({
  apiVersion,
  kind,
  ...rest,
  metadata: { name, namespace: NAMESPACE, ...(rest["metadata"] as object | undefined) },
});

/** kubectl keeps what was applied. */
const withLastApplied = (made: Made): Made => ({
  ...made,
  metadata: {
    ...made.metadata,
    annotations: {
      [LAST_APPLIED]: `${JSON.stringify(made)}\n`,
      // So do other tools, in other words.
      "objectset.example.org/applied": base64(JSON.stringify(made)),
    },
  },
});

const secret = (name: string, rest: Readonly<Record<string, unknown>>): Made =>
  withLastApplied(object("v1", "Secret", name, { type: "Opaque", ...rest }));

const config = (name: string, realm: string, spec: Readonly<Record<string, unknown>>): readonly Made[] => [
  object("gateway.networking.k8s.io/v1", "GatewayClass", name, {
    metadata: { namespace: undefined, generation: 1 },
    spec: {
      controllerName: "stunner.l7mp.io/gateway-operator",
      parametersRef: { group: "stunner.l7mp.io", kind: "GatewayConfig", name, namespace: NAMESPACE },
    },
  }),
  withLastApplied(
    object("stunner.l7mp.io/v1", "GatewayConfig", name, {
      metadata: { generation: 1 },
      spec: { realm, ...spec },
    }),
  ),
];

const gateway = (name: string, listeners: readonly Readonly<Record<string, unknown>>[]): Made =>
  object("gateway.networking.k8s.io/v1", "Gateway", name, {
    metadata: { generation: 1, uid: `uid-${name}` },
    spec: { gatewayClassName: name, listeners },
  });

const udp = (port: number) => [{ name: "udp", port, protocol: "TURN-UDP" }];

/** Cores of a PEM: its body's lines. */
const bodyOf = (pem: string): string => pem.split("\n")[2] ?? "";

/** @param realmOf no secret: it is to be found. */
export const secretWorld = (
  aviary: Aviary,
  ports: WorldPorts,
  certificates: readonly [TestCertificate, TestCertificate],
  realmOf: (gateway: string) => string,
): SecretWorld => {
  const passwords = {
    inline: aviary.plant("password of a GatewayConfig", "p&a%s's", "+~"),
    data: aviary.plant("password in data of a Secret", "'<", ">'"),
    string: aviary.plant("password in stringData of a Secret", "{", "}"),
  };
  const sharedSecret = aviary.plant("sharedSecret of a GatewayConfig", "s h", "=");
  const [inData, inString] = certificates;
  aviary.cage("private key in data of a Secret", inData.key, bodyOf(inData.key));
  aviary.cage("private key in stringData of a Secret", inString.key, bodyOf(inString.key));
  const environment = aviary.plant("env of a Dataplane", "e");
  const containers = [
    {
      name: "db",
      image: "db",
      env: [{ name: "DB_PASSWORD", value: aviary.plant("env of somebody's Deployment") }],
      args: [`--password=${aviary.plant("args of somebody's Deployment")}`],
    },
  ];

  return {
    passwords,
    sharedSecret,
    objects: [
      ...config("inline", realmOf("inline"), { authType: "static", userName: USERNAME, password: passwords.inline }),
      gateway("inline", [
        ...udp(ports.inline),
        ...(["tls-data", "tls-string"] as const).map((name, index) => ({
          name,
          port: ports.tls,
          protocol: index === 0 ? "TURN-TLS" : "TURN-DTLS",
          tls: { mode: "Terminate", certificateRefs: [{ name }] },
        })),
      ]),
      ...config("shared", realmOf("shared"), { authType: "ephemeral", sharedSecret }),
      gateway("shared", udp(ports.shared)),
      ...config("data", realmOf("data"), { authRef: { name: "auth-data", namespace: NAMESPACE } }),
      gateway("data", udp(ports.data)),
      ...config("string", realmOf("string"), { authRef: { name: "auth-string", namespace: NAMESPACE } }),
      gateway("string", udp(ports.string)),
      secret("auth-data", {
        data: { type: base64("static"), username: base64(USERNAME), password: base64(passwords.data) },
      }),
      secret("auth-string", { stringData: { type: "static", username: USERNAME, password: passwords.string } }),
      secret("tls-data", { data: { "tls.crt": base64(inData.certificate), "tls.key": base64(inData.key) } }),
      secret("tls-string", { stringData: { "tls.crt": inString.certificate, "tls.key": inString.key } }),
      secret("nobody-asks", {
        data: {
          "api-token": base64(aviary.plant("unknown key in data of a Secret")),
          password: base64(aviary.plant("data of a Secret that is not referenced")),
        },
        stringData: { "other-token": aviary.plant("unknown key in stringData of a Secret") },
      }),
      // Not base64: what somebody meant for stringData.
      secret("mistaken", { data: { password: aviary.plant("plain text in data of a Secret", "!") } }),
      object("v1", "ConfigMap", "stunnerd-config", {
        data: { "stunnerd.conf": JSON.stringify({ password: aviary.plant("an older legacy ConfigMap") }) },
      }),
      withLastApplied(
        object("stunner.l7mp.io/v1", "Dataplane", "default", {
          metadata: { namespace: undefined, generation: 1 },
          spec: { image: "turnpike", env: [{ name: "API_TOKEN", value: environment }] },
        }),
      ),
      withLastApplied(
        object("apps/v1", "Deployment", "db", {
          spec: { selector: {}, template: { spec: { containers, initContainers: containers } } },
        }),
      ),
      object("stunner.l7mp.io/v1", "UDPRoute", "calls", {
        metadata: { generation: 1 },
        spec: { parentRefs: REALMS.map((name) => ({ name })), rules: [{ backendRefs: [{ name: "sfu" }] }] },
      }),
      object("v1", "Service", "sfu", { spec: { ports: [{ port: 9000, protocol: "UDP" }] } }),
      object("discovery.k8s.io/v1", "EndpointSlice", "sfu-1", {
        metadata: { labels: { "kubernetes.io/service-name": "sfu" } },
        addressType: "IPv4",
        endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
      }),
    ],
  };
};

const HEAD = `apiVersion: stunner.l7mp.io/v1
kind: GatewayConfig
metadata: { name: NAME, namespace: ${NAMESPACE} }
spec:
`;

/** Manifests that are refused, by file; each has a secret where a message might quote it. */
export const wrongManifests = (aviary: Aviary): Readonly<Record<string, string>> => {
  const lines: Readonly<Record<string, (canary: string) => string>> = {
    "a password that is no string": () => `  password: ${aviary.cage("numeric password", "73519284460173")}\n`,
    "a misspelt field": (canary) => `  passwrod: ${canary}\n`,
    "a missing space": (canary) => `  { userName: me, password:${canary} }\n`,
    "a missing space on a line of its own": (canary) => `  password:${canary}\n  realm: r\n`,
    "a list for a password": (canary) => `  password: [${canary}]\n`,
    "an object for a password": (canary) => `  password: { ${canary}: true }\n`,
    "an alias": (canary) => `  password: *${canary}\n`,
    "a tag": (canary) => `  password: !${canary} x\n`,
    "a tag of YAML's": (canary) => `  password: !!${canary} { x: y }\n`,
    "a block header": (canary) => `  password: |${canary}\n    x\n`,
    "an escape": (canary) => `  password: "\\q${canary}"\n`,
    "two colons": (canary) => `  password: a: ${canary}: b\n`,
    "a reserved character": (canary) => `  password: @${canary}\n`,
    "an open quote": (canary) => `  password: "${canary}\n`,
    "an open brace": (canary) => `  password: { ${canary}\n`,
    "what follows a quote": (canary) => `  password: "x" ${canary}\n`,
    "a closing bracket": (canary) => `  password: ]${canary}\n`,
    "a tab": (canary) => `\tpassword: ${canary}\n`,
    "a key that stands twice": (canary) => `  password: ${canary}\n  password: ${canary}\n`,
    "a directive": (canary) => `...\n%${canary} 1\n---\nx: y\n`,
  };
  return Object.fromEntries([
    ...Object.entries(lines).map(([what, line], index) => [
      `wrong-${index}.yaml`,
      `${HEAD.replace("NAME", `wrong-${index}`)}${line(aviary.plant(`manifest with ${what}`))}`,
    ]),
    ["wrong.json", `{"kind":"Secret","stringData":{"password":"${aviary.plant("manifest that is no JSON")}"`],
    [
      "wrong-secret.yaml",
      `apiVersion: v1\nkind: Secret\nmetadata: { name: wrong }\nstringData: { password:${aviary.plant("Secret with a missing space")} }\n`,
    ],
    [
      "wrong-data.yaml",
      `apiVersion: v1\nkind: Secret\nmetadata: { name: wrong-data }\ndata: { password: [${aviary.plant("Secret with a list")}] }\n`,
    ],
  ]) as Record<string, string>;
};
