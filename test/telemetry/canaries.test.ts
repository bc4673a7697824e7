/** No secret comes out: whatever is planted where secrets may be is searched for in every output. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { collectionPath } from "../../src/kubernetes/paths.ts";
import { kinds } from "../../src/resources/kinds.ts";
import { ephemeralCredentials } from "../../src/turn-client/credentials.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { Aviary, base64Cores, nonsense, type Song } from "../support/canaries.ts";
import { startCollector } from "../support/collector.ts";
import { makeCertificate } from "../support/certificate.ts";
import { launch, outputOf, type CommandOptions, type Running } from "../support/commands.ts";
import { startFakeApi, type FakeApi } from "../support/fake-api.ts";
import { freePort } from "../support/free-port.ts";
import {
  NAMESPACE,
  REALMS,
  secretWorld,
  USERNAME,
  wrongManifests,
  type SecretWorld,
  type WorldPorts,
} from "./secret-world.ts";
import { messageOf } from "../../src/errors.ts";

/** Dozens of processes start and end here. */

const root = mkdtempSync(join(tmpdir(), "turnpike-canaries-"));
const running = new Set<Running>();
let api: FakeApi | undefined;

afterAll(async () => {
  await Promise.all([...running].map((one) => one.stop("SIGKILL")));
  await api?.stop();
  rmSync(root, { recursive: true });
});

const start = (args: readonly string[], options?: CommandOptions): Running => {
  const one = launch(args, options);
  running.add(one);
  return one;
};

const file = (name: string, text: string): string => {
  const path = join(root, name);
  writeFileSync(path, text);
  return path;
};

/** What came out, by outlet. */
class Outlets {
  readonly texts = new Map<string, string>();

  add(outlet: string, text: string): void {
    this.texts.set(outlet, text);
  }

  async ask(base: string, ...paths: readonly string[]): Promise<void> {
    for (const path of paths) this.add(`GET ${path}`, await (await fetch(`${base}${path}`)).text());
  }

  async run(args: readonly string[], options?: CommandOptions): Promise<void> {
    this.add(`turnpike ${args.map((arg) => arg.replace(`${root}/`, "")).join(" ")}`, await outputOf(args, options));
  }

  /** All files of a folder, and what the commands say of it that read event logs. */
  async journal(folder: string): Promise<void> {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (name.startsWith("last-config.json")) continue;
      if (statSync(path).isFile()) this.add(`file ${name}`, readFileSync(path, "latin1") + readFileSync(path, "utf8"));
    }
    const commands = [
      ["log", folder],
      ["log", folder, "--json"],
      ["log", folder, "--cause", "30"],
      ["replay", folder],
      ["explain", "127.0.0.1:9000", "--journal", folder],
      ["explain", "10.9.9.9", "--journal", folder, "--json"],
      ["explain", `gateway/${NAMESPACE}/inline`, "--journal", folder],
      ["explain", "gatewayclass/shared", "--journal", folder, "--json"],
    ];
    await Promise.all(commands.map((args) => this.run(args)));
  }

  /** The songs heard anywhere. */
  songs(aviary: Aviary): readonly Song[] {
    return [...this.texts].flatMap(([outlet, text]) => aviary.listen(outlet, text));
  }

  /** The outlets that have `text` in them. */
  having(text: string): readonly string[] {
    return [...this.texts].filter(([, one]) => one.includes(text)).map(([outlet]) => outlet);
  }
}

/** So many, one after the other: of two that look at once both may find the same. */
const portsFor = async (count: number): Promise<readonly number[]> => {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort("127.0.0.1"));
  return [...ports];
};

const freePorts = async (): Promise<WorldPorts> => {
  const [inline, tls, shared, data, string] = await portsFor(5);
  return { inline: inline!, tls: tls!, shared: shared!, data: data!, string: string! };
};

/** A call, as far as it gets: the peer is not routed. */
const call = async (port: number, username: string, password: string): Promise<string> => {
  const client = await TurnClient.connect({ host: "127.0.0.1", port, username, password });
  try {
    await client.allocate();
    await client.createPermission("127.0.0.1");
    await client.createPermission("10.9.9.9");
    return "all";
  } catch (error) {
    return messageOf(error);
  } finally {
    // A dataplane drains until the last allocation has ended.
    await client.refresh(0).catch(() => undefined);
    client.close();
  }
};

/** Calls of all sorts: those who know the password, those who do not, and those who mistake it for the user name. */
const callAll = async (aviary: Aviary, ports: WorldPorts, world: SecretWorld): Promise<void> => {
  for (const name of ["inline", "data", "string"] as const) {
    const password = world.passwords[name];
    expect(await call(ports[name], USERNAME, password)).toMatch(/create-permission|403/i);
    expect(await call(ports[name], USERNAME, aviary.plant("wrong password of a client"))).toMatch(/401/);
    expect(await call(ports[name], password, "x")).toMatch(/401/);
    expect(await call(ports[name], password, password)).toMatch(/401/);
  }
  const { username, password } = ephemeralCredentials(world.sharedSecret, "bob", 600);
  aviary.cage("time-limited password", password);
  expect(await call(ports.shared, username, password)).toMatch(/403/);
  expect(await call(ports.shared, world.sharedSecret, "x")).toMatch(/401/);
  expect(await call(ports.shared, `1:${world.sharedSecret}`, "x")).toMatch(/401/);
};

/** A realm is no secret: whatever tells of configs tells it, which shows that it is listened to there. */
const createTracer = () => {
  const tracer = nonsense().toLowerCase();
  return { tracer, realmOf: (gateway: string): string => `${gateway}-${tracer}` };
};

const accountsOf = (realmOf: (gateway: string) => string) =>
  REALMS.map((gateway) => ({ username: USERNAME, realm: realmOf(gateway) }));

const certificates = () => [makeCertificate("in-data"), makeCertificate("in-string")] as const;

describe("whoever listens", () => {
  it("hears a canary in each of its forms", () => {
    const aviary = new Aviary([{ username: "u", realm: "r" }]);
    const value = aviary.plant("here", `a"&é`, "=+");
    const [{ forms } = { forms: new Map<string, string>() }] = aviary.canaries;
    expect(forms.size).toBe(23);
    for (const [form, text] of forms)
      expect(aviary.listen("log", `before ${text} behind`), form).toEqual([
        expect.objectContaining({ place: "here", outlet: "log" }),
      ]);
    for (const before of ["", "1", "12", "123"]) {
      const encoded = Buffer.from(`${before}${value}${before}`).toString("base64");
      expect(aviary.listen("log", encoded)).toHaveLength(1);
      expect(aviary.listen("log", JSON.stringify(JSON.stringify({ value, encoded })))).toHaveLength(1);
    }
    expect(aviary.listen("log", "nothing")).toEqual([]);
    expect(base64Cores("abc")[0]).toBe("YWJj");
  });
});

describe("turnpike standalone", () => {
  it("shows no secret, and neither does any command over what it left behind", async () => {
    const { tracer, realmOf } = createTracer();
    const aviary = new Aviary(accountsOf(realmOf));
    const [ports, admin] = [await freePorts(), await freePort("127.0.0.1")];
    const world = secretWorld(aviary, ports, certificates(), realmOf);
    const manifests = join(root, "manifests");
    const journal = join(root, "standalone");
    mkdirSync(manifests);
    for (const [index, object] of world.objects.entries()) file(`manifests/${index}.yaml`, stringify(object));
    for (const [name, text] of Object.entries(wrongManifests(aviary))) file(`manifests/${name}`, text);

    const at = `127.0.0.1:${admin}`;
    const args = ["standalone", manifests, "--journal", journal, "--admin", at, "--log-level", "trace"];
    const environment = aviary.plant("an environment variable");
    const gateway = start(args, { env: { SOME_TOKEN: environment } });
    await gateway.printed(/Ctrl-C/);
    await callAll(aviary, ports, world);

    // A Secret that is corrected and a file that becomes wrong, while it runs.
    const changed = aviary.plant("password of a GatewayConfig that changes");
    const [, config] = world.objects;
    const before = gateway.output.length;
    file("manifests/1.yaml", stringify(config).replaceAll(/^( {2}password: ).*$/gm, `$1*${changed}`));
    await expect.poll(() => gateway.output.slice(before)).toContain("1.yaml:");

    const outlets = new Outlets();
    await outlets.ask(`http://${at}`, "/live", "/ready", "/metrics", "/api/v1/state", "/none");
    await outlets.run(["status", "--admin", at]);
    await outlets.run(["status", "--admin", at, "--json"]);
    await outlets.run(["render", manifests]);
    await outlets.run(["render", manifests, "--standalone", "-o", "json"]);
    const password = aviary.plant("TURNPIKE_PASSWORD");
    await outlets.run(["probe", "--help"], { env: { TURNPIKE_PASSWORD: password } });
    await outlets.run(["probe", `turn:127.0.0.1:${ports.inline}`, "--admin", at], {
      env: { TURNPIKE_PASSWORD: password },
    });
    await outlets.run(["probe", `--passwrod=${password}`]);
    await outlets.run(["probe", `turn:${USERNAME}:${password}@127.0.0.1`]);
    await gateway.stop();
    outlets.add("its output", gateway.output);
    await outlets.journal(journal);

    expect(outlets.songs(aviary)).toEqual([]);
    expect(outlets.having(tracer)).toEqual(
      expect.arrayContaining([
        "its output",
        "GET /api/v1/state",
        `turnpike status --admin ${at}`,
        `turnpike status --admin ${at} --json`,
        "turnpike render manifests",
        "turnpike render manifests --standalone -o json",
        "turnpike log standalone --json",
        "file 000000000001.jsonl",
      ]),
    );
    expect(outlets.texts.get("GET /api/v1/state")).toMatch(/"401 credentials":[1-9]/);
    expect(outlets.texts.get("turnpike replay standalone")).toContain("identical");
  });
});

describe("turnpike operator and its dataplane", () => {
  const served = kinds.flatMap((kind) => kind.versions.map((version) => collectionPath(kind, version)));

  const serveAll = async (objects: SecretWorld["objects"]): Promise<FakeApi> => {
    const server = await startFakeApi();
    for (const path of [...served, "/apis/events.k8s.io/v1/events"]) server.serve(path);
    for (const object of objects) {
      const kind = kinds.find((one) => one.kind === object["kind"]);
      server.put(collectionPath(kind!, String(object["apiVersion"]).split("/").at(-1)!), object);
    }
    return server;
  };

  const kubeconfig = (name: string, server: string, token: string): string =>
    file(
      name,
      stringify({
        apiVersion: "v1",
        kind: "Config",
        "current-context": "c",
        contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
        clusters: [{ name: "c", cluster: { server, "insecure-skip-tls-verify": true } }],
        users: [{ name: "u", user: { token } }],
      }),
    );

  const portsOf = (
    output: string,
  ): { readonly metrics: number; readonly health: number; readonly discovery: number } => {
    const [, ports = "{}"] = /"ports":(\{[^}]*\})/.exec(output) ?? [];
    return JSON.parse(ports) as ReturnType<typeof portsOf>;
  };

  const operatorArgs = (config: string, journal: string): readonly string[] => [
    "operator",
    "--kubeconfig",
    config,
    "--journal",
    journal,
    "--config-discovery-address",
    "127.0.0.1:0",
    "--metrics-bind-address",
    "127.0.0.1:0",
    "--health-probe-bind-address",
    "127.0.0.1:0",
    "--admin-bind-address",
    "127.0.0.1:0",
    "--zap-log-level",
    "trace",
  ];

  it("tell no secret but to each other", async () => {
    const { tracer, realmOf } = createTracer();
    const aviary = new Aviary(accountsOf(realmOf));
    const ports = await freePorts();
    const world = secretWorld(aviary, ports, certificates(), realmOf);
    const number = aviary.cage("numeric password", "73519284460174");
    const server = await serveAll([
      ...world.objects,
      {
        apiVersion: "stunner.l7mp.io/v1",
        kind: "GatewayConfig",
        metadata: { name: "odd", namespace: NAMESPACE },
        spec: { password: Number(number), passwrod: aviary.plant("unknown field of a GatewayConfig") },
      },
    ]);
    api = server;
    const token = aviary.plant("token of the kubeconfig");
    const discoveryToken = aviary.plant("token of config discovery");
    const { certificate, key } = makeCertificate("127.0.0.1");
    aviary.cage("private key of config discovery", key, key.split("\n")[2]);
    const [certFile, keyFile, tokenFile] = [
      file("discovery.crt", certificate),
      file("discovery.key", key),
      file("discovery.token", `${discoveryToken}\n`),
    ];
    // Kubernetes refuses a Deployment, and quotes it.
    const environment = aviary.canaries.find(({ place }) => place === "env of a Dataplane")!.value;
    server.answer({
      of: ({ method, path }) => method === "PATCH" && path.includes("/deployments/"),
      times: 4,
      status: 422,
      body: JSON.stringify({ message: `spec.env[5].value: Invalid value: "${environment}"`, reason: "Invalid" }),
    });

    const journal = join(root, "operator");
    const secured = ["--config-discovery-cert-file", certFile, "--config-discovery-key-file", keyFile];
    const collector = await startCollector();
    const collectorToken = aviary.plant("token for a collector of traces");
    const operator = start(
      [
        ...operatorArgs(kubeconfig("kubeconfig.yaml", server.url, token), journal),
        ...secured,
        "--config-discovery-token-file",
        tokenFile,
        "--traces",
        collector.url,
      ],
      { env: { OTEL_EXPORTER_OTLP_HEADERS: `authorization=${collectorToken}` } },
    );
    await operator.printed(/operator started/);
    const { metrics, health, discovery } = portsOf(operator.output);
    const base = `https://127.0.0.1:${discovery}`;

    const dataplanes = [];
    for (const name of REALMS) {
      const [admin] = await portsFor(1);
      const from = base.replace("//", `//u:${discoveryToken}@`);
      const args = ["dataplane", "--watch", "--config", from, "--id", `${NAMESPACE}/${name}`];
      const more = ["--journal", join(root, `dataplane-${name}`), "--admin", `127.0.0.1:${admin}`];
      const access = ["--discovery-token-file", tokenFile, "--discovery-ca-file", certFile];
      const process = start([...args, ...more, ...access, "--log", "all:TRACE"], {
        env: { STUNNER_ADDR: "127.0.0.1" },
      });
      await process.printed(/listener\.bound/);
      dataplanes.push({ name, admin, process });
    }
    await callAll(aviary, ports, world);

    const outlets = new Outlets();
    // A watch that breaks off in the middle of a Secret.
    const torn = aviary.plant("half of a watch event");
    const log = () => readFileSync(join(journal, "000000000001.jsonl"), "utf8");
    server.write(`{"type":"MODIFIED","object":{"kind":"Secret","data":{"password":"${torn}"}},}\n`);
    // A list that breaks off there, too.
    const half = aviary.plant("half of a list");
    server.answer({
      of: ({ method, path, query }) => method === "GET" && path.endsWith("/secrets") && query["watch"] === undefined,
      times: 2,
      status: 200,
      body: `{"items":[{"data":{"password":"${half}"`,
    });
    server.compact();
    server.cut();
    await expect.poll(log).toMatch(/not JSON, \d+ characters/);

    await outlets.ask(`http://127.0.0.1:${metrics}`, "/metrics");
    await outlets.ask(`http://127.0.0.1:${health}`, "/healthz", "/readyz");
    await outlets.run(["dataplane", "--config", base, "--id", `${NAMESPACE}/inline`, "--dry-run"]);
    for (const { name, admin, process } of dataplanes) {
      const told = new Outlets();
      await told.ask(`http://127.0.0.1:${admin}`, "/live", "/ready", "/metrics", "/api/v1/state");
      await told.run(["status", "--admin", `127.0.0.1:${admin}`, "--json"]);
      process.child.kill();
      await process.stop();
      told.add("output", process.output);
      const folder = join(root, `dataplane-${name}`);
      await told.journal(folder);
      // What it begins with when nobody answers: for its own eyes.
      expect(statSync(join(folder, "last-config.json")).mode & 0o777).toBe(0o600);
      expect(told.having(tracer), name).toEqual(
        expect.arrayContaining(["GET /api/v1/state", `turnpike log dataplane-${name} --json`]),
      );
      for (const [outlet, text] of told.texts) outlets.add(`dataplane ${name}: ${outlet}`, text);
    }
    await operator.stop();
    await collector.close();
    expect(collector.spans.length).toBeGreaterThan(10);
    expect(collector.requests[0]?.headers["authorization"]).toBe(collectorToken);
    outlets.add("traces", collector.texts.join("\n"));
    outlets.add("its output", operator.output);
    await outlets.journal(journal);
    for (const { method, path, body } of server.asked)
      if (method !== "GET") outlets.add(`${method} ${path} ${outlets.texts.size}`, body);

    // A Dataplane's environment is for its pods.
    const songs = outlets
      .songs(aviary)
      .filter(({ place, outlet }) => !(place === "env of a Dataplane" && /^PATCH .*\/deployments\//.test(outlet)));
    expect(songs).toEqual([]);
    expect(outlets.having(tracer)).toEqual(
      expect.arrayContaining(["turnpike log operator --json", "file 000000000001.jsonl"]),
    );
    expect(outlets.having(environment).length).toBeGreaterThan(0);
    expect(outlets.having("Invalid value").length).toBeGreaterThan(0);
    expect(server.asked.some(({ method, path }) => method === "POST" && path.endsWith("/events"))).toBe(true);
    expect(server.asked.some(({ path, body }) => path.endsWith("/status") && body !== "")).toBe(true);
    await server.stop();
    api = undefined;
  });

  it("tell no secret in legacy mode but in the ConfigMap", async () => {
    const { tracer, realmOf } = createTracer();
    const aviary = new Aviary(accountsOf(realmOf));
    const world = secretWorld(aviary, await freePorts(), certificates(), realmOf);
    const server = await serveAll(world.objects.filter(({ kind }) => kind !== "ConfigMap"));
    api = server;
    const isConfigMap = ({ method, path }: { method: string; path: string }): boolean =>
      method === "PATCH" && path.includes("/configmaps/");
    server.answer({
      of: isConfigMap,
      status: 422,
      body: JSON.stringify({ message: `no: ${world.passwords.inline} ${JSON.stringify(world.sharedSecret)}` }),
    });
    const journal = join(root, "legacy");
    const config = kubeconfig("legacy.yaml", server.url, aviary.plant("token of the kubeconfig"));
    const operator = start([...operatorArgs(config, journal), "--dataplane-mode", "legacy"]);
    await operator.printed(/operator started/);
    const written = () => server.asked.filter(isConfigMap).map(({ body }) => body);
    await expect.poll(() => written().length).toBeGreaterThan(1);
    const outlets = new Outlets();
    await outlets.ask(`http://127.0.0.1:${portsOf(operator.output).metrics}`, "/metrics");
    await operator.stop();
    outlets.add("its output", operator.output);
    await outlets.journal(journal);
    for (const [index, { method, path, body }] of server.asked.entries())
      if (method !== "GET" && !path.includes("/configmaps/")) outlets.add(`${method} ${path} ${index}`, body);
    expect(outlets.songs(aviary)).toEqual([]);
    expect(written().join("")).toContain(tracer);
    expect(outlets.having("no: … ").length).toBeGreaterThan(0);
    await server.stop();
    api = undefined;
  });

  it("do not quote a kubeconfig or a config that they cannot read", async () => {
    const aviary = new Aviary();
    const outlets = new Outlets();
    const broken: readonly ((canary: string) => string)[] = [
      (canary) => `users:\n  - name: u\n    user: { token: *${canary} }\n`,
      (canary) => `users:\n  - name: u\n   user:\n      token: "${canary}\n`,
      (canary) => `{"users":[{"user":{"token":"${canary}"`,
      (canary) => `users:\n  - name: u\n    token: a: ${canary}\n`,
    ];
    for (const [index, make] of broken.entries()) {
      const path = file(`broken-${index}.yaml`, make(aviary.plant(`kubeconfig ${index}`)));
      await outlets.run(operatorArgs(path, join(root, "none")));
      await outlets.run(["dataplane", "--config", path, "--journal", join(root, "none")]);
    }
    const password = aviary.plant("password of a URI");
    await outlets.run(["dataplane", `turn://${USERNAME}:${password}@127.0.0.1:99999`]);
    await outlets.run(["dataplane", `turn://${USERNAME}:${password}@127.0.0.1?transport=sctp`]);
    await outlets.run(["dataplane", "x", `turn://${USERNAME}:${password}@127.0.0.1`]);
    await outlets.run(["dataplane", "--config", `ftp://${USERNAME}:${password}@127.0.0.1`]);
    await outlets.run(["dataplane", "--config", `http://${USERNAME}:${password}@127.0.0.1:1`]);
    // What was typed is in the outlet's name.
    for (const [outlet, text] of outlets.texts) expect(text, outlet).toMatch(/turnpike: |error: |"level":/);
    expect(outlets.songs(aviary)).toEqual([]);
  });
});

describe("turnpike dataplane with a config from a file", () => {
  it("shows no secret of a config, accepted or refused", async () => {
    const { tracer, realmOf } = createTracer();
    const aviary = new Aviary(accountsOf(realmOf));
    const [port, tls, health, admin] = await portsFor(4);
    const certificate = makeCertificate();
    aviary.cage("private key of a listener", certificate.key, certificate.key.split("\n")[2]);
    const password = aviary.plant("password of a config", `"'`);
    const config = (credentials: unknown) => ({
      version: "v1",
      admin: { name: `${NAMESPACE}/inline`, healthcheck_endpoint: `http://127.0.0.1:${health}` },
      auth: { type: "static", realm: realmOf("inline"), credentials },
      listeners: [
        { name: "udp", protocol: "TURN-UDP", address: "127.0.0.1", port, routes: ["sfu"] },
        {
          name: "tls",
          protocol: "TURN-TLS",
          address: "127.0.0.1",
          port: tls,
          cert: certificate.cert64,
          key: certificate.key64,
        },
      ],
      clusters: [{ name: "sfu", type: "STATIC", endpoints: ["127.0.0.1"] }],
      license_config: { key: aviary.plant("license of a config") },
    });
    const other = aviary.plant("another credential of a config");
    const path = file("config.json", JSON.stringify(config({ username: USERNAME, password, other })));
    const journal = join(root, "from-file");
    const args = ["dataplane", "--watch", "--config", path, "--journal", journal, "--log", "all:TRACE"];
    const dataplane = start([...args, "--admin", `127.0.0.1:${admin}`]);
    await dataplane.printed(/listener\.bound/);
    expect(await call(port!, USERNAME, password)).toMatch(/403/);
    expect(await call(port!, password, password)).toMatch(/401/);

    const refused = () => dataplane.output.split("object.rejected").length - 1;
    const wrong: readonly ((canary: string) => string)[] = [
      (canary) => JSON.stringify(config({ username: USERNAME, password: [canary] })),
      (canary) => `{"auth":{"credentials":{"password":"${canary}"`,
      (canary) => JSON.stringify(config([canary])),
      (canary) => `auth: { password: *${canary} }`,
      (canary) => JSON.stringify({ ...config({}), auth: { type: "static", credentials: { password: canary } } }),
    ];
    for (const [index, make] of wrong.entries()) {
      const before = refused();
      writeFileSync(path, make(aviary.plant(`config that is refused, ${index}`)));
      // The reasons of two that follow each other differ, or the second were no news.
      await expect.poll(refused).toBeGreaterThan(before);
    }
    const outlets = new Outlets();
    await outlets.ask(`http://127.0.0.1:${health}`, "/live", "/ready", "/status", "/none");
    await outlets.ask(`http://127.0.0.1:${admin}`, "/metrics", "/api/v1/state");
    await outlets.run(["status", "--admin", `127.0.0.1:${admin}`]);
    await dataplane.stop();
    outlets.add("its output", dataplane.output);
    await outlets.journal(journal);
    expect(outlets.songs(aviary)).toEqual([]);
    expect(outlets.having(tracer)).toEqual(
      expect.arrayContaining(["GET /status", "GET /api/v1/state", "turnpike log from-file --json"]),
    );
  });
});
