import { describe, expect, it } from "vitest";
import { createHistory, gone, seen } from "../../test/support/given.ts";
import { aCall, gateway, gatewayConfig, referenceGrant } from "../../test/support/objects.ts";
import { digest } from "../journal/digest.ts";
import type { Fact, JournalLine } from "../journal/fact.ts";
import { createHistory as createIndexed } from "../history/history.ts";
import type { ListenerConfig } from "../resources/dataplane-config.ts";
import type { CertificateState, Secret } from "../resources/core.ts";
import type { Name, ObjectKey } from "../resources/keys.ts";
import type { GatewayStatus } from "../render/render.ts";
import { standaloneOptions } from "../runtime/options.ts";
import { createCore, type Core, type CoreSnapshot } from "./core.ts";
import { replay } from "./replay.ts";

const GATEWAY = "ns/gw" as Name;
const notAfter = "2030-01-01T00:00:00.000Z";
const good: CertificateState = { parses: true, matchesKey: true, notAfter };
const mismatch: CertificateState = { parses: true, matchesKey: false, problem: "key-mismatch" };
const synced: Fact = { type: "objects.synced", data: { objects: 0 } };

const secretOf = (version: string, certificate: CertificateState, name = "secret", namespace = "ns"): Secret => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace },
  data: { "tls.crt": `vault:crt-${version}`, "tls.key": `vault:key-${version}` },
  certificate,
});
const secret = (...of: Parameters<typeof secretOf>): Fact => seen("Secret", secretOf(...of));
const withoutData: Fact = seen("Secret", {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "secret", namespace: "ns" },
});
const secretGone: Fact = gone("Secret", "ns/secret");

interface Reference {
  readonly name: string;
  readonly namespace?: string;
}
const tls = (refs: readonly Reference[] = [{ name: "secret" }], protocol = "TURN-TLS", mode = "Terminate"): Fact =>
  seen("Gateway", gateway("gw", [{ name: "tls", port: 443, protocol, tls: { mode, certificateRefs: refs } }]));
const withoutListener = seen("Gateway", gateway("gw"));

/** A Gateway that serves the certificate A. */
const serving = (options = standaloneOptions("127.0.0.1")) => {
  const history = createHistory(options);
  history.take(...aCall(), tls(), secret("A", good), synced);
  return history;
};

const listener = (core: Core): ListenerConfig | undefined =>
  core.rendered(GATEWAY)?.config?.listeners?.find(({ name }) => name === "ns/gw/tls");
const served = (core: Core): string | undefined => listener(core)?.cert;
const resolved = (core: Core) => {
  const { listeners } = core.status(`Gateway/${GATEWAY}` as ObjectKey) as GatewayStatus;
  return listeners[0]?.conditions.find(({ type }) => type === "ResolvedRefs");
};
const linesOf = (lines: readonly JournalLine[]): JournalLine[] => JSON.parse(JSON.stringify(lines)) as JournalLine[];

const unusable: readonly (readonly [string, Fact, RegExp])[] = [
  ["cannot be read", secret("B", { parses: false }), /cannot be read/],
  ["is of another key", secret("B", mismatch), /does not match/],
  ["has an unreadable key", secret("B", { parses: true, problem: "key-unreadable" }), /private key cannot be read/],
  ["is not for servers", secret("B", { parses: true, problem: "not-for-servers" }), /serverAuth/],
  ["has a broken chain", secret("B", { parses: true, problem: "unusable" }), /chain cannot be used/],
  ["is no longer in the Secret", withoutData, /no certificate or no key/],
  ["is deleted with its Secret", secretGone, /Secret ns\/secret not found/],
];

describe("the last good certificate", () => {
  it.each(unusable)("is served while the certificate %s, and the next good one is taken", (_, fact, why) => {
    const { core, take, lines } = serving();
    const before = core.rendered(GATEWAY)?.config;
    const concluded = take(fact);
    expect(concluded).toEqual(["rendered certificates ns/gw", "rendered status Gateway/ns/gw"]);
    expect(core.rendered(GATEWAY)?.config).toEqual(before);
    expect(resolved(core)).toMatchObject({
      status: "False",
      reason: "InvalidCertificateRef",
      message: expect.stringMatching(why),
    });
    expect(resolved(core)?.message).toMatch(`the last good certificate is served (valid until ${notAfter})`);
    const { conditions } = core.status(`Gateway/${GATEWAY}` as ObjectKey) as GatewayStatus;
    expect(conditions).toContainEqual(
      expect.objectContaining({ type: "Programmed", status: "False", message: expect.stringMatching(why) }),
    );

    take(secret("C", good));
    expect(listener(core)).toMatchObject({ cert: "vault:crt-C", key: "vault:key-C" });
    expect(resolved(core)).toMatchObject({ status: "True" });
    expect(core.certificateDigests).toEqual(new Set(["vault:crt-C", "vault:key-C"]));
    expect(replay(linesOf(lines), digest).divergence).toBeUndefined();
  });

  it("is the one before, whatever came in between", () => {
    const { core, take } = serving();
    for (const [, fact] of unusable) take(fact);
    expect(served(core)).toBe("vault:crt-A");
  });

  it("is not known of a listener that never had one: the listener is left out", () => {
    const { core, take } = createHistory();
    take(...aCall(), tls(), secret("A", mismatch), synced);
    expect(core.rendered(GATEWAY)?.listeners).toMatchObject([{ outcome: "unresolved" }]);
    expect(listener(core)).toBeUndefined();
    // It was never served: no call depends on it.
    take(secret("A", good), secret("B", mismatch));
    expect(listener(core)).toBeUndefined();
  });

  it.each([
    ["a Secret that is not there", [{ name: "absent" }]],
    ["nothing", []],
    ["something that is not a Secret", [{ name: "secret", kind: "ConfigMap" }]],
  ])("is served where certificateRefs now name %s", (_, refs) => {
    const { core, take } = serving();
    take(tls(refs));
    expect(served(core)).toBe("vault:crt-A");
    expect(resolved(core)).toMatchObject({ status: "False", reason: "InvalidCertificateRef" });
  });

  it.each([
    ["is removed", withoutListener],
    ["no longer speaks TLS", tls(undefined, "TURN-TCP")],
    ["no longer terminates TLS", tls(undefined, "TURN-TLS", "Passthrough")],
    ["is deleted with its Gateway", gone("Gateway", "ns/gw")],
    [
      "is given to another controller",
      seen("Gateway", { ...gateway("gw"), spec: { gatewayClassName: "x", listeners: [] } }),
    ],
  ])("is forgotten when the listener %s", (_, fact) => {
    const { core, take } = serving();
    take(secretGone);
    expect(served(core)).toBe("vault:crt-A");
    take(fact);
    expect(core.certificateDigests.size).toBe(0);
    take(tls());
    expect(listener(core)).toBeUndefined();
    expect(core.export()).not.toHaveProperty("certificates");
  });

  it("is served over DTLS, too, and where the listener changes between the two", () => {
    const { core, take } = serving();
    take(tls(undefined, "TURN-DTLS"), secretGone);
    expect(listener(core)).toMatchObject({ protocol: "TURN-DTLS", cert: "vault:crt-A" });
  });

  it("is remembered while the listener is not served for another reason", () => {
    const { core, take } = serving();
    take(gone("GatewayConfig", "ns/config"));
    take(secretGone);
    take(seen("GatewayConfig", gatewayConfig()));
    expect(served(core)).toBe("vault:crt-A");
  });

  it("is served rather than one that is expired or not valid yet", () => {
    const { core, take } = serving();
    take(secret("B", { ...good, validity: "not-yet-valid", notBefore: "2029-01-01T00:00:00.000Z" }));
    expect(served(core)).toBe("vault:crt-A");
    expect(resolved(core)?.message).toMatch(/not valid before 2029-01-01.*last good certificate/);
    take(secret("B", good));
    expect(served(core)).toBe("vault:crt-B");
    // The same certificate, whose time has passed.
    take(secret("B", { ...good, validity: "expired" }));
    expect(served(core)).toBe("vault:crt-B");
    expect(resolved(core)?.message).not.toMatch("last good");
    take(secret("D", { ...good, validity: "expired" }));
    expect(served(core)).toBe("vault:crt-D");
    take(secretGone);
    expect(served(core)).toBe("vault:crt-D");
  });

  it("is served beside the others of certificateRefs, each by itself, also after a restart", () => {
    const { core, take, lines } = serving();
    const both = [{ name: "secret" }, { name: "other" }];
    take(tls(both), secret("other", good, "other"));
    const two = { cert: "vault:crt-A", certificates: [{ cert: "vault:crt-other", key: "vault:key-other" }] };
    expect(listener(core)).toMatchObject(two);
    expect(resolved(core)).toMatchObject({ status: "True" });
    take(secret("bad", mismatch, "other"));
    expect(listener(core)).toMatchObject(two);
    expect(resolved(core)?.message).toMatch(/^Secret ns\/other: the private key does not match.*last good certificate/);
    take(secretGone);
    expect(listener(core)).toMatchObject(two);
    expect(resolved(core)?.message).toMatch(/Secret ns\/secret not found.*; Secret ns\/other: the private key/);
    expect(core.certificateDigests).toContain("vault:key-other");
    const snapshot = JSON.parse(JSON.stringify(core.export())) as CoreSnapshot;
    expect(listener(createCore(core.options, digest, { snapshot }))).toEqual(listener(core));
    expect(replay(linesOf(lines), digest).divergence).toBeUndefined();
    take(secret("new", good, "other"));
    expect(listener(core)).toMatchObject({ cert: "vault:crt-A", certificates: [{ cert: "vault:crt-new" }] });
    take(tls([{ name: "other" }]));
    expect(listener(core)).toMatchObject({ cert: "vault:crt-new" });
    expect(listener(core)).not.toHaveProperty("certificates");
    expect(core.certificateDigests).toEqual(new Set(["vault:crt-new", "vault:key-new"]));
  });

  it.each([
    ["the Gateway refers to its Secret", tls([{ name: "far", namespace: "far" }])],
    ["the Gateway refers to another Secret", tls([{ name: "absent" }])],
  ])("is no longer served when its ReferenceGrant is withdrawn (%s)", (_, after) => {
    const from = [{ group: "gateway.networking.k8s.io", kind: "Gateway", namespace: "ns" }];
    const { core, take } = createHistory(standaloneOptions("127.0.0.1", { requireReferenceGrants: true }));
    take(
      ...aCall(),
      seen("ReferenceGrant", { ...referenceGrant("far"), spec: { from, to: [{ group: "", kind: "Secret" }] } }),
      tls([{ name: "far", namespace: "far" }]),
      secret("F", good, "far", "far"),
      synced,
    );
    take(secret("G", mismatch, "far", "far"), after);
    expect(served(core)).toBe("vault:crt-F");
    take(gone("ReferenceGrant", "far/grant"));
    expect(listener(core)).toBeUndefined();
    expect(core.certificateDigests.size).toBe(0);
  });

  it("is in snapshots, in replay and in every moment of the log", () => {
    const history = serving();
    history.take(secret("B", mismatch));
    const snapshot = JSON.parse(JSON.stringify(history.core.export())) as CoreSnapshot;
    expect(snapshot.certificates).toEqual([
      [GATEWAY, { tls: { cert: "vault:crt-A", key: "vault:key-A", secret: "ns/secret", notAfter } }],
    ]);
    const resumed = createCore(history.core.options, digest, { snapshot });
    expect(JSON.stringify(resumed.export())).toBe(JSON.stringify(history.core.export()));
    expect(served(resumed)).toBe("vault:crt-A");
    expect(resumed.certificateDigests).toEqual(history.core.certificateDigests);

    const lines = linesOf(history.lines);
    expect(replay(lines, digest).divergence).toBeUndefined();
    const line = { v: 1, seq: 900, time: 1, source: "core", cause: null, type: "snapshot", data: snapshot } as const;
    for (const log of [lines, [...lines, line]]) {
      const indexed = createIndexed();
      for (const one of log) indexed.append(one);
      const moment = indexed.moment(log.length - 1);
      expect(moment?.rendered(GATEWAY)).toEqual(history.core.rendered(GATEWAY));
      expect(moment?.snapshot().certificates).toEqual(snapshot.certificates);
    }
  });

  it("is not served in logs of the first release", () => {
    const { rules: _, ...options } = standaloneOptions("127.0.0.1");
    const history = serving(options);
    expect(served(history.core)).toBe("vault:crt-A");
    expect(history.take(secretGone)).not.toContain("rendered certificates ns/gw");
    expect(listener(history.core)).toBeUndefined();
  });
});
