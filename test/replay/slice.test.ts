/** `turnpike log slice`: pieces that replay by themselves, and pieces that do not identify their origin. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import type { Fact, JournalLine } from "../../src/journal/fact.ts";
import { readJournal } from "../../src/journal/reader.ts";
import type { Name } from "../../src/resources/keys.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { cutSlice } from "../../src/slices/cut.ts";
import { pseudonymise } from "../../src/slices/pseudonymise.ts";
import { createHistory, gone, seen, synced } from "../support/given.ts";
import { dataplane, gateway, gatewayClass, gatewayConfig, route, service, slice } from "../support/objects.ts";

const TURNPIKE = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));
const fixtures = fileURLToPath(new URL("fixtures/first-release", import.meta.url));
const logs = readdirSync(fixtures).filter((name) => name.endsWith(".jsonl"));
const historiesFolder = new URL("histories/", import.meta.url);
const histories = readdirSync(historiesFolder).filter((name) => name.endsWith(".jsonl"));
const linesOf = (log: string): readonly JournalLine[] => [...readJournal(join(fixtures, log))];

const coin = (prefix: string): boolean => ((createHash("sha256").update(prefix).digest()[0] ?? 0) & 1) === 1;
const hidden = (lines: readonly JournalLine[]): readonly JournalLine[] => pseudonymise(lines, coin, digest);

describe("a slice", () => {
  it.each(logs)("replays from any line of %s on, and leads to the same", (log) => {
    const lines = linesOf(log);
    const whole = replay(lines, digest).core!.export();
    for (let from = 1; from <= lines.length; from += 1) {
      const { lines: cut, begins } = cutSlice(() => lines, { from }, digest);
      expect(begins).toBeLessThanOrEqual(from);
      expect(cut.at(-1)).toEqual(lines.at(-1));
      expect(cut.slice(1)).toEqual(lines.slice(lines.length - cut.length + 1));
      const { divergence, core } = replay(JSON.parse(JSON.stringify(cut)) as JournalLine[], digest);
      expect(divergence, `from line ${from}`).toBeUndefined();
      expect(core!.export()).toEqual(whole);
    }
  });

  it("ends at the given line, and begins with its own snapshot", () => {
    const lines = linesOf("operator.jsonl");
    const at = lines.findIndex(({ type }) => type === "gateway.removed");
    const { seq } = lines[at]!;
    const cut = cutSlice(() => lines, { from: seq, to: seq + 1 }, digest);
    expect(cut.lines.map((line) => [line.seq, line.type])).toEqual([
      [seq - 1, "snapshot"],
      [seq, "gateway.removed"],
      [seq + 1, "transition"],
    ]);
    expect(cut.begins).toBe(seq);
  });

  it("begins earlier where the line stands amid what was concluded at once", () => {
    const lines = linesOf("operator.jsonl");
    const fold = lines.find(({ type, seq }) => type === "fold" && seq > 60 && lines[seq + 1]?.source === "core")!;
    const { begins } = cutSlice(() => lines, { from: fold.seq + 2 }, digest);
    expect(begins).toBeLessThan(fold.seq);
    expect(lines[begins - 2]!.type).not.toBe("fold");
  });

  it("is refused where there is nothing of it, or the log does not replay before it", () => {
    const lines = linesOf("operator.jsonl");
    const code = (expected: string) => expect.objectContaining({ code: expected });
    expect(() => cutSlice(() => lines, { from: 9999 }, digest)).toThrow(code("nothing-known"));
    expect(() => cutSlice(() => lines, { from: 50, to: 20 }, digest)).toThrow(code("nothing-known"));
    const changed = JSON.parse(JSON.stringify(lines).replace('"to":"active"', '"to":"gone"')) as JournalLine[];
    expect(() => cutSlice(() => changed, { from: 60 }, digest)).toThrow(code("journal-differs"));
    // A difference within it is what it may be about.
    expect(cutSlice(() => changed, {}, digest).divergesAt).toBeGreaterThan(0);
  });
});

/** Everything that somebody might not want to be known. */
const PRIVATE = {
  namespaces: ["acme-prod", "gateway"],
  names: [
    "edge-berlin",
    "sfu-7",
    "recorder",
    "acme-config",
    "to-sfu",
    "acme-class",
    "worker-3.acme.example",
    "acme-tls",
  ],
  addresses: [
    "10.20.30.40",
    "10.20.30.41",
    "10.99.0.0/16",
    "10.99.7.7",
    "fd12:3456::9",
    "198.18.7.7",
    "203.0.113.77",
    "85.10.11.12",
  ],
  people: [
    "alice",
    "acme-operator-0",
    "calls.acme.example",
    "platform-team",
    "blue-lane",
    "acme.example/tier",
    "/etc/acme/edge.yaml",
  ],
} as const;

const inNamespace = <T extends { readonly metadata: object }>(object: T, more: object = {}): T => ({
  ...object,
  metadata: { ...object.metadata, namespace: "acme-prod", ...more },
});

const privateHistory = (): readonly JournalLine[] => {
  const { take, lines } = createHistory(
    operatorOptions({
      discoveryAddress: "10.20.30.41:13478",
      labelFilter: ["acme.example/tier", "argocd.argoproj.io/instance"],
    }),
  );
  const edge = (hostname?: string) =>
    inNamespace(
      gateway("edge-berlin", [
        {
          name: "sfu-7",
          port: 3478,
          protocol: "TURN-UDP",
          ...(hostname && { hostname }),
          allowedRoutes: {
            namespaces: { from: "Selector", selector: { matchLabels: { "acme.example/tier": "blue-lane" } } },
          },
        },
        { name: "tls", port: 443, protocol: "turn-tls", tls: { certificateRefs: [{ name: "acme-tls" }] } },
      ] as never),
      {
        labels: { team: "platform-team", "acme.example/tier": "blue-lane" },
        annotations: {
          "stunner.l7mp.io/nodeport": '{"sfu-7": 30478}',
          "stunner.l7mp.io/service-type": "NodePort",
          "acme.example/owner": "alice@acme.example",
        },
        uid: "6a49a853-7ec9-4323-aa8f-81dc51f1158d",
      },
    );
  const target = (addresses: readonly string[]) =>
    seen("EndpointSlice", inNamespace(slice("recorder", "recorder", addresses)));
  const allocation = {
    gateway: "acme-prod/edge-berlin" as Name,
    listener: "acme-prod/edge-berlin/sfu-7",
    id: 1,
    user: "1700000000:alice",
    client: "85.10.11.12:40001",
    relayed: "203.0.113.77:50001",
  };
  const facts: readonly (readonly Fact[])[] = [
    [
      seen("GatewayClass", {
        ...gatewayClass,
        metadata: { name: "acme-class", generation: 1 },
        spec: {
          ...gatewayClass.spec,
          parametersRef: { ...gatewayClass.spec.parametersRef!, name: "acme-config", namespace: "acme-prod" },
        },
      }),
      seen(
        "GatewayConfig",
        inNamespace(gatewayConfig({ realm: "calls.acme.example", userName: "alice" }), { name: "acme-config" }),
      ),
      seen("Dataplane", dataplane),
      seen("Namespace", {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: "acme-prod", labels: { "acme.example/tier": "blue-lane" } },
      }),
      seen("Gateway", { ...edge(), spec: { ...edge().spec, gatewayClassName: "acme-class" } }),
      seen("UDPRoute", {
        ...inNamespace(route("to-sfu", ["edge-berlin"], ["recorder"])),
        spec: {
          parentRefs: [{ name: "edge-berlin", sectionName: "sfu-7" }],
          rules: [
            {
              backendRefs: [
                { name: "recorder", port: 5000, endPort: 6000 },
                { group: "stunner.l7mp.io", kind: "StaticService", name: "sfu-7" },
              ],
            },
          ],
        },
      }),
      seen("StaticService", {
        apiVersion: "stunner.l7mp.io/v1",
        kind: "StaticService",
        metadata: { name: "sfu-7", namespace: "acme-prod" },
        spec: { prefixes: ["10.99.0.0/16", "10.99.7.7", "0.0.0.0/0", "169.254.0.0/16"] },
      }),
      seen("Service", inNamespace(service("recorder"))),
      target(["10.20.30.40", "10.20.30.41", "fd12:3456::9"]),
      seen("Node", {
        apiVersion: "v1",
        kind: "Node",
        metadata: { name: "worker-3.acme.example" },
        status: {
          addresses: [
            { type: "ExternalIP", address: "198.18.7.7" },
            { type: "Hostname", address: "worker-3.acme.example" },
          ],
        },
      }),
      synced,
    ],
    [{ type: "lease.acquired", data: { holder: "acme-operator-0" } }],
    [{ type: "allocation.opened", data: allocation }],
    [
      {
        type: "peer.refused",
        data: {
          ...allocation,
          peer: "10.99.7.7",
          reason: "no cluster of gateway acme-prod/edge-berlin names 10.99.7.7",
          suppressed: 0,
        },
      },
    ],
    [target(["!10.20.30.40", "10.20.30.41"])],
    [
      {
        type: "effect.failed",
        data: {
          effect: "write",
          target: "Service acme-prod/edge-berlin",
          reason:
            'Service "edge-berlin" is invalid: spec.ports[0].nodePort: Invalid value: 30478: provided port is already allocated by platform-team',
          status: 422,
        },
      },
    ],
    [
      {
        type: "object.rejected",
        data: {
          code: "manifest-schema",
          file: "/etc/acme/edge.yaml",
          line: 3,
          object: "Gateway/acme-prod/edge-berlin",
          field: "spec.listeners[0].port",
          reason: "must be a number",
        },
      },
    ],
    [seen("Namespace", { apiVersion: "v1", kind: "Namespace", metadata: { name: "acme-prod", labels: {} } })],
    [
      seen("Namespace", {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: "gateway", labels: { "acme.example/tier": "blue-lane" } },
      }),
    ],
    [gone("UDPRoute", "acme-prod/to-sfu")],
    [{ type: "operator.stopping", data: { reason: "SIGTERM" } }],
  ];
  for (const together of facts) take(...together);
  return JSON.parse(JSON.stringify(lines)) as readonly JournalLine[];
};

/** Endpoints that go together do so in the order of their addresses. */
const moves = (lines: readonly JournalLine[]): readonly string[] =>
  lines
    .flatMap((line) =>
      line.type === "transition"
        ? [`${line.cause} ${line.data.machine}: ${line.data.from} → ${line.data.to} on ${line.data.event}`]
        : [],
    )
    .toSorted();

describe("a pseudonymised slice", () => {
  it.each(logs)("of %s takes the same transitions, wherever it begins", (log) => {
    const lines = linesOf(log);
    for (let from = 1; from <= lines.length; from += 7) {
      const cut = cutSlice(() => lines, { from }, digest).lines;
      const other = hidden(JSON.parse(JSON.stringify(cut)) as JournalLine[]);
      expect(moves(other)).toEqual(moves(cut));
      expect(other.map(({ seq, time, type, cause }) => [seq, time, type, cause])).toEqual(
        cut.map(({ seq, time, type, cause }) => [seq, time, type, cause]),
      );
      expect(replay(JSON.parse(JSON.stringify(other)) as JournalLine[], digest).divergence).toBeUndefined();
    }
  });

  it.each(histories)("of the history %s takes the same transitions, and none of its names", (name) => {
    const lines = [...readJournal(fileURLToPath(new URL(name, historiesFolder)))];
    const other = hidden(lines);
    expect(moves(other)).toEqual(moves(lines));
    expect(replay(JSON.parse(JSON.stringify(other)) as JournalLine[], digest).divergence).toBeUndefined();
    expect(JSON.stringify(other)).not.toMatch(
      /sfu|"edge|edge"|example\.org|"calls"|\/calls|node-[12]|10\.1\.0\.|operator-0/,
    );
  });

  it("has no name, address, user or text of the original in it", () => {
    const lines = privateHistory();
    const secret = Object.values(PRIVATE).flat();
    const original = JSON.stringify(lines);
    // Namespace `gateway` is a word that messages have, too.
    for (const one of secret) expect(original).toContain(one);
    for (const from of [1, 40, lines.length]) {
      const text = JSON.stringify(hidden(cutSlice(() => lines, { from }, digest).lines));
      expect(secret.filter((one) => one !== "gateway" && text.includes(one))).toEqual([]);
      expect(text).not.toContain("acme");
      expect(text).not.toMatch(/"name(space)?":"gateway"|\bgateway\/|of gateway |alice|berlin|6a49a853/);
    }
  });

  it("keeps what rules depend on, and so takes the same transitions", () => {
    const lines = privateHistory();
    const other = hidden(lines);
    expect(moves(other)).toEqual(moves(lines));
    expect(moves(lines).length).toBeGreaterThan(20);
    expect(replay(other, digest).divergence).toBeUndefined();
    const text = JSON.stringify(other);
    for (const kept of [
      "0.0.0.0/0",
      "169.254.0.0/16",
      "TURN-UDP",
      "turn-tls",
      "NodePort",
      "stunner.l7mp.io/nodeport",
      "30478",
      "SIGTERM",
      "vault:pass",
    ])
      expect(text).toContain(kept);
    const prefixes = other.flatMap((line) =>
      line.type === "object.seen" && line.data.kind === "StaticService"
        ? (line.data.object as { spec: { prefixes: readonly string[] } }).spec.prefixes
        : [],
    );
    const [network = "", inside = ""] = prefixes;
    expect(network).toMatch(/^10\.\d+\.0\.0\/16$/);
    expect(inside.startsWith(network.split(".").slice(0, 2).join("."))).toBe(true);
    // The text of an API server: what it is about stays readable.
    const refused = other.find((line) => line.type === "effect.failed");
    expect(refused?.type === "effect.failed" && refused.data.reason).toMatch(
      /^Service "name-\d+" is invalid: .*port is already .* by name-\d+$/,
    );
  });

  it("keeps the certificate of a listener whose Secret is gone, under other names", () => {
    const { take, lines } = createHistory();
    const tls = { certificateRefs: [{ name: "acme-tls" }] };
    const data = { "tls.crt": "vault:crt", "tls.key": "vault:key" };
    take(
      seen("GatewayClass", gatewayClass),
      seen("GatewayConfig", gatewayConfig()),
      seen("Gateway", gateway("edge-berlin", [{ name: "acme", port: 443, protocol: "TURN-TLS", tls }])),
      seen("Secret", { apiVersion: "v1", kind: "Secret", metadata: { name: "acme-tls", namespace: "ns" }, data }),
      synced,
    );
    take(gone("Secret", "ns/acme-tls"));
    take(seen("Service", service("unrelated")));
    const { lines: cut } = cutSlice(() => lines, { from: lines.length }, digest);
    const [first] = cut;
    expect(JSON.stringify(first)).toContain('"certificates":[["ns/edge-berlin",{"acme":{"cert":"vault:crt"');
    for (const other of [hidden(cut), hidden(lines)]) {
      expect(JSON.stringify(other)).toContain("vault:crt");
      expect(JSON.stringify(other)).not.toMatch(/acme|berlin/);
      const { divergence, core } = replay(JSON.parse(JSON.stringify(other)) as JournalLine[], digest);
      expect(divergence).toBeUndefined();
      const [name] = core!.registry.entities("gateway").keys();
      expect(core!.rendered(name as Name)?.config?.listeners).toMatchObject([{ cert: "vault:crt", key: "vault:key" }]);
    }
  });

  it("keeps the HTTP backend of a listener and its certificates, under other names", () => {
    const { take, lines } = createHistory();
    const tls = { certificateRefs: [{ name: "acme-a" }, { name: "acme-b" }] };
    const secret = (name: string): Fact =>
      seen("Secret", {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name, namespace: "ns" },
        data: { "tls.crt": `vault:crt-${name.slice(-1)}`, "tls.key": `vault:key-${name.slice(-1)}` },
      });
    const edge = gateway("edge-berlin", [{ name: "acme", port: 443, protocol: "TURN-TLS", tls }]);
    const annotations = {
      "turnpike.dev/http-backends": '{"acme": "acme-site:8443"}',
      "turnpike.dev/http-backend-proxy-protocol": '{"acme": "v1"}',
    };
    take(
      seen("GatewayClass", gatewayClass),
      seen("GatewayConfig", gatewayConfig()),
      seen("Gateway", { ...edge, metadata: { ...edge.metadata, annotations } }),
      seen("Service", {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "acme-site", namespace: "ns" },
        spec: { clusterIP: "10.96.0.7", ports: [{ port: 8443 }] },
      }),
      secret("acme-a"),
      secret("acme-b"),
      synced,
    );
    take(gone("Secret", "ns/acme-b"));
    const other = hidden(lines);
    expect(JSON.stringify(other)).not.toMatch(/acme|berlin|10\.96\.0\.7/);
    const { divergence, core } = replay(JSON.parse(JSON.stringify(other)) as JournalLine[], digest);
    expect(divergence).toBeUndefined();
    const [name] = core!.registry.entities("gateway").keys();
    expect(core!.rendered(name as Name)?.config?.listeners).toMatchObject([
      {
        cert: "vault:crt-a",
        certificates: [{ cert: "vault:crt-b", key: "vault:key-b" }],
        http_backend: expect.stringMatching(/^10\.\d+\.\d+\.\d+:8443$/),
        http_backend_proxy_protocol: "v1",
      },
    ]);
  });

  it("is refused where other names lead to something else", () => {
    const lines = linesOf("operator.jsonl");
    const changed = JSON.parse(JSON.stringify(lines).replace('"to":"active"', '"to":"gone"')) as JournalLine[];
    expect(() => hidden(changed)).toThrow(expect.objectContaining({ code: "journal-differs" }));
  });
});

describe("turnpike log slice", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "turnpike-slice-"))));
  afterEach(() => rmSync(folder, { recursive: true }));
  const log = join(fixtures, "operator.jsonl");
  const run = (...args: readonly string[]) =>
    spawnSync(TURNPIKE, ["log", "slice", log, ...args], { encoding: "utf8", cwd: folder });

  it("writes to standard output, or to a file that is not there yet", () => {
    const { stdout, status, stderr } = run("--from", "74", "--to", "82");
    expect([status, stderr]).toEqual([0, ""]);
    expect(run("--from", "74", "--to", "82", "-o", "a.jsonl").status).toBe(0);
    const file = join(folder, "a.jsonl");
    expect(readFileSync(file, "utf8")).toBe(stdout);
    expect(replay(readJournal(file), digest)).toMatchObject({ divergence: undefined });

    writeFileSync(file, "mine");
    expect(run("-o", "a.jsonl")).toMatchObject({ status: 1, stderr: expect.stringContaining("(file-exists)") });
    expect(readFileSync(file, "utf8")).toBe("mine");
    expect(run("-o", "a.jsonl", "--force").status).toBe(0);
    expect(readFileSync(file, "utf8")).toBe(readFileSync(log, "utf8"));
  });

  it("says where it begins if it cannot begin where it should", () => {
    expect(run("--from", "30").stderr).toMatch(
      /line 30 stands amid what was concluded at once; the slice begins at line 4/,
    );
  });

  it("pseudonymises each time with another key", () => {
    const [one, other] = [run("--pseudonymise").stdout, run("--pseudonymise").stdout];
    expect(one).not.toBe(other);
    expect(one).not.toContain("media-a");
    writeFileSync(join(folder, "b.jsonl"), one);
    const result = spawnSync(TURNPIKE, ["replay", join(folder, "b.jsonl")], { encoding: "utf8" });
    expect(result.stdout).toMatch(/: identical$/m);
  });

  it("reports wrong arguments", () => {
    expect(run("--from", "x")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("expected a sequence number"),
    });
  });
});
