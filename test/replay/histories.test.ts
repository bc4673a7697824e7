/** What happened on real clusters replays, and this is what was decisive in it. */
import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { expectReplay, type Expected, type Replayed } from "../../src/testing/expect-replay.ts";
import type { DataplaneConfig } from "../../src/resources/dataplane-config.ts";
import type { Name, ObjectKey } from "../../src/resources/keys.ts";

const folder = new URL("histories/", import.meta.url);
const sentences = new Map(
  [...readFileSync(new URL("README.md", folder), "utf8").matchAll(/^\| ([a-z-]+) \| (\w.*) \|$/gm)]
    .filter(([, name]) => name !== "history")
    .map(([, name = "", sentence = ""]) => [name, sentence]),
);

const EDGE = "media/edge" as Name;
const CALLS = "route UDPRoute/media/calls";
const pod = (n: number): string => `endpoint media/sfu#10.1.0.${n}`;
const config = ({ core }: Replayed, gateway = EDGE): DataplaneConfig | undefined => core.rendered(gateway)?.config;
const peers = (replayed: Replayed): readonly string[] | undefined =>
  config(replayed)?.clusters?.[0]?.endpoints?.filter((endpoint) => endpoint.startsWith("10.1."));
const condition = ({ core }: Replayed, object: string, type: string): string | undefined => {
  const { conditions = [] } = core.status(object as ObjectKey) as {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[];
  };
  const found = conditions.find((one) => one.type === type);
  return found && `${found.status}: ${found.message}`;
};
const count = ({ sentences: said }: Replayed, pattern: RegExp): number =>
  said.filter((one) => pattern.test(one)).length;

interface History extends Expected {
  readonly also?: (replayed: Replayed) => void;
}

const leading = { "operator operator": "leading", "gateway media/edge": "active" } as const;
const whole = { ...leading, [CALLS]: "attached" } as const;
const listenerCame = ["listener media/edge/tcp: new → pending", "listener media/edge/tcp: pending → accepted"] as const;

const histories: Readonly<Record<string, History>> = {
  "address-assigned": {
    states: whole,
    also: (replayed) => {
      expect(replayed.transitions).toEqual([]);
      expect(config(replayed)?.listeners?.[0]).toMatchObject({ public_address: "203.0.113.10", public_port: 3478 });
    },
  },
  "api-server-restarted": {
    transitions: listenerCame,
    states: { ...whole, [pod(1)]: "active", [pod(2)]: "active" },
    also: (replayed) => {
      // One watch a kind and version is lost; nothing else is, and nothing is concluded from it.
      expect(count(replayed, /^watch lost/)).toBeGreaterThan(10);
      expect(replayed.transitions).toHaveLength(2);
    },
  },
  "class-deleted": {
    transitions: [
      "gateway media/edge: active → terminating",
      `${CALLS}: attached → detached`,
      "gateway media/edge: terminating → gone",
      "gateway media/edge: pending → invalid",
      "gateway media/edge: invalid → active",
    ],
    states: whole,
  },
  "config-changed": {
    transitions: ["gateway media/edge: active → invalid", "gateway media/edge: invalid → active"],
    states: whole,
    also: (replayed) => {
      expect(config(replayed)?.auth).toMatchObject({ type: "ephemeral" });
      // Another realm and password move nothing: calls go on.
      expect(replayed.sentences.indexOf("config media/edge rendered")).toBeLessThan(
        replayed.sentences.findIndex((one) => one.includes("→ invalid")),
      );
      expect(JSON.stringify(replayed.core.export())).not.toContain('"another"');
    },
  },
  "crd-removed": {
    transitions: [
      `${pod(1)}: active → gone`,
      `${CALLS}: attached → gone`,
      `${pod(1)}: new → active`,
      `${CALLS}: detached → attached`,
    ],
    states: { ...whole, [pod(1)]: "active", [pod(2)]: "active" },
  },
  "etcd-paused": {
    transitions: listenerCame,
    states: whole,
    also: (replayed) => {
      expect(count(replayed, /failed: no answer within/)).toBeGreaterThanOrEqual(2);
      expect(replayed.sentences.findIndex((one) => one.startsWith("Service/media/edge updated"))).toBeGreaterThan(
        replayed.sentences.findIndex((one) => one.includes("no answer")),
      );
    },
  },
  finalized: {
    transitions: [
      "operator operator: leading → draining",
      "operator operator: draining → finalizing",
      "gateway media/edge: active → terminating",
      "gateway media/edge: terminating → gone",
      "operator operator: finalizing → stopped",
    ],
    states: { "operator operator": "gone", "gateway media/edge": "gone" },
    also: (replayed) => {
      expect(count(replayed, /^(Service|Deployment)\/media\/edge removed$/)).toBe(2);
      expect(condition(replayed, "Gateway/media/edge", "Programmed")).toMatch(/^False: .*graceful shutdown/);
    },
  },
  "foreign-service": {
    transitions: ["gateway media/other: pending → active"],
    states: { ...whole, "gateway media/other": "active" },
    also: (replayed) => {
      // It is not touched as long as it stands there.
      expect(replayed.sentences.indexOf("gone Service/media/other")).toBeLessThan(
        replayed.sentences.indexOf("Service/media/other created"),
      );
      expect(replayed.sentences).not.toContain("Service/media/other updated");
    },
  },
  "gateway-deleted": {
    transitions: [
      "gateway media/edge: active → terminating",
      `${CALLS}: attached → detached`,
      "gateway media/edge: terminating → gone",
      "gateway media/edge: new → pending",
      `${CALLS}: detached → attached`,
    ],
    states: whole,
  },
  "gateway-reclassed": {
    transitions: [
      "gateway media/edge: active → terminating",
      "gateway media/edge: terminating → gone",
      "gateway media/edge: pending → active",
    ],
    states: whole,
    also: (replayed) => expect(count(replayed, /^(Service|Deployment)\/media\/edge removed$/)).toBe(2),
  },
  "leader-changed": {
    transitions: [`${pod(3)}: new → active`, "operator operator: standby → leading", ...listenerCame],
    states: { ...whole, [pod(3)]: "active" },
    also: (replayed) => {
      // It knows all before it leads, and writes nothing before.
      const leads = replayed.sentences.findIndex((one) => one.startsWith("leading as"));
      expect(replayed.sentences.findIndex((one) => / (created|updated|removed)$/.test(one))).toBeGreaterThan(leads);
    },
  },
  "lease-lost": {
    transitions: ["operator operator: leading → standby", ...listenerCame, "operator operator: standby → leading"],
    states: whole,
    also: (replayed) =>
      expect(replayed.sentences.indexOf("Service/media/edge updated")).toBeGreaterThan(
        replayed.sentences.findIndex((one) => one.startsWith("leading as")),
      ),
  },
  legacy: {
    transitions: [
      ...listenerCame,
      "gateway media/edge: active → terminating",
      "gateway media/edge: terminating → gone",
    ],
    states: { "gateway media/edge": "gone", [CALLS]: "detached" },
    also: ({ core }) => {
      expect(core.options.mode).toBe("legacy");
      expect(core.configMap("media/stunnerd-config" as Name)?.config?.listeners).toBeUndefined();
    },
  },
  "listener-added": {
    transitions: [...listenerCame, "listener media/edge/tcp: accepted → gone"],
    states: { ...whole, "listener media/edge/udp": "accepted", "listener media/edge/tcp": "gone" },
    // The one that stays is not touched.
    also: ({ transitions }) => expect(transitions.filter((one) => one.includes("/udp"))).toEqual([]),
  },
  "namespace-labelled": {
    transitions: [`${CALLS}: attached → detached`, `${CALLS}: detached → attached`, `${CALLS}: attached → detached`],
    states: { ...leading, [CALLS]: "detached", "listener media/edge/udp": "accepted" },
    also: (replayed) => expect(config(replayed)?.clusters).toBeUndefined(),
  },
  "node-drained": {
    transitions: [`${pod(1)}: active → terminating`, `${pod(3)}: new → active`, `${pod(1)}: terminating → gone`],
    states: { ...whole, [pod(1)]: "gone", [pod(2)]: "active", [pod(3)]: "active" },
  },
  "operator-killed": {
    transitions: [
      "operator operator: standby → leading",
      "operator operator: new → starting",
      "gateway media/edge: pending → active",
      "operator operator: standby → leading",
    ],
    states: { ...whole, "listener media/edge/tcp": "accepted" },
    also: (replayed) => expect(count(replayed, /^the last line of the log was torn; \d+ bytes? dropped$/)).toBe(1),
  },
  "pod-deleted": {
    transitions: [`${pod(1)}: active → terminating`, `${pod(1)}: terminating → gone`],
    states: { ...whole, [pod(1)]: "gone", [pod(3)]: "active" },
    also: (replayed) => {
      expect(peers(replayed)).toEqual(["10.1.0.2", "10.1.0.3"]);
      expect(replayed.sentences).toContain("draining media/edge rendered");
    },
  },
  "pod-killed": {
    transitions: [`${pod(1)}: active → terminating`, `${pod(1)}: terminating → gone`, `${pod(3)}: new → active`],
    states: { ...whole, [pod(1)]: "gone" },
  },
  "pod-unready": {
    states: { ...whole, [pod(1)]: "active", [pod(2)]: "active" },
    // Its calls go on: whether it takes new ones is not for the relay to say.
    also: (replayed) => {
      expect(replayed.transitions).toEqual([]);
      expect(count(replayed, /^seen EndpointSlice\/media\/sfu-/)).toBe(2);
      expect(replayed.sentences).not.toContain("config media/edge rendered");
    },
  },
  rollout: {
    transitions: [
      `${pod(3)}: new → active`,
      `${pod(1)}: active → terminating`,
      `${pod(4)}: new → active`,
      `${pod(2)}: active → terminating`,
      `${pod(1)}: terminating → gone`,
      `${pod(2)}: terminating → gone`,
    ],
    states: { ...whole, [pod(1)]: "gone", [pod(2)]: "gone", [pod(3)]: "active", [pod(4)]: "active" },
    also: (replayed) => expect(peers(replayed)).toEqual(["10.1.0.3", "10.1.0.4"]),
  },
  "route-added": {
    transitions: [
      `${pod(1)}: new → active`,
      `${pod(2)}: new → active`,
      `${CALLS}: new → detached`,
      `${CALLS}: detached → attached`,
    ],
    states: whole,
    also: (replayed) => expect(peers(replayed)).toEqual(["10.1.0.1", "10.1.0.2"]),
  },
  "route-masked": {
    transitions: [
      "route GatewayUDPRoute/media/calls: detached → masked",
      `${CALLS}: attached → gone`,
      "route GatewayUDPRoute/media/calls: masked → attached",
    ],
    states: { ...leading, [CALLS]: "gone", "route GatewayUDPRoute/media/calls": "attached", [pod(1)]: "active" },
    // The pods are the same, and never leave.
    also: ({ transitions }) => expect(transitions.filter((one) => one.startsWith("endpoint"))).toEqual([]),
  },
  "scaled-down": {
    states: { ...whole, [pod(2)]: "active" },
    also: (replayed) => {
      const moves = replayed.transitions.map((one) => one.replace(/#\S+:/, ":"));
      expect(moves).toEqual([
        "endpoint media/sfu: active → terminating",
        "endpoint media/sfu: active → terminating",
        "endpoint media/sfu: terminating → gone",
        "endpoint media/sfu: terminating → gone",
      ]);
      expect(peers(replayed)).toHaveLength(1);
    },
  },
  "scaled-up": {
    transitions: [`${pod(2)}: new → active`, `${pod(3)}: new → active`],
    states: { ...whole, [pod(1)]: "active" },
    also: (replayed) => expect(peers(replayed)).toHaveLength(3),
  },
  "secret-missing": {
    transitions: ["listener media/edge/tls: pending → refused", "listener media/edge/tls: refused → accepted"],
    states: whole,
    also: (replayed) => {
      const { listeners = [] } = config(replayed) ?? {};
      expect(listeners.map(({ protocol }) => protocol)).toEqual(["TURN-UDP", "TURN-TLS"]);
      // Of the certificate there are digests.
      expect(listeners[1]).toMatchObject({
        cert: expect.stringMatching(/^vault:/),
        key: expect.stringMatching(/^vault:/),
      });
    },
  },
  "service-missing": {
    transitions: [
      `${CALLS}: attached → degraded`,
      `${pod(1)}: active → gone`,
      `${pod(1)}: new → active`,
      `${CALLS}: degraded → attached`,
    ],
    states: { ...whole, [pod(1)]: "active", [pod(2)]: "active" },
  },
  "slice-split": {
    states: { ...whole, [pod(1)]: "active", [pod(2)]: "active", [pod(3)]: "gone", [pod(4)]: "active" },
    // In two slices for a while, it is one endpoint all the time.
    also: ({ transitions }) => expect(transitions).toEqual([`${pod(3)}: active → gone`]),
  },
  "static-service-added": {
    transitions: [
      `${CALLS}: attached → degraded`,
      "endpoint static:media/recorders#192.0.2.0/28: new → active",
      `${CALLS}: degraded → attached`,
    ],
    states: { ...whole, "endpoint static:media/recorders#2001:db8::/64": "active" },
    also: (replayed) =>
      expect(config(replayed)?.clusters?.[0]?.endpoints).toEqual(
        expect.arrayContaining(["192.0.2.0/28", "2001:db8::/64", "10.1.0.1"]),
      ),
  },
  "watch-expired": {
    transitions: [...listenerCame, `${pod(1)}: active → gone`, `${CALLS}: attached → gone`],
    states: { ...leading, [CALLS]: "gone", [pod(1)]: "gone" },
  },
  "write-refused": {
    states: whole,
    also: (replayed) => {
      expect(count(replayed, /^write Service media\/edge failed: .*not in the valid range/)).toBe(1);
      expect(count(replayed, /^Service\/media\/edge updated$/)).toBe(1);
      expect(condition(replayed, "Gateway/media/edge", "Programmed")).not.toMatch(/refuses/);
    },
  },
  "writes-conflict": {
    transitions: listenerCame,
    states: whole,
    also: (replayed) => {
      expect(count(replayed, /failed: Conflict/)).toBeGreaterThanOrEqual(1);
      // It is no refusal: the next try is another one.
      expect(condition(replayed, "Gateway/media/edge", "Programmed")).not.toMatch(/refuses/);
      expect(replayed.sentences).toContain("Service/media/edge updated");
    },
  },
};

describe("histories from real clusters", () => {
  it.each([...sentences])("%s: %s", (name) => {
    const { also, ...expected } = histories[name]!;
    const replayed = expectReplay(new URL(`${name}.jsonl`, folder), expected);
    also?.(replayed);
  });

  it("are more than twenty, each with a sentence, and small", () => {
    const files = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
    expect(files.map((name) => name.replace(".jsonl", "")).toSorted()).toEqual([...sentences.keys()].toSorted());
    expect(Object.keys(histories).toSorted()).toEqual([...sentences.keys()].toSorted());
    expect(files.length).toBeGreaterThan(20);
    const bytes = files.map((name) => readFileSync(new URL(name, folder)).length);
    expect(Math.max(...bytes)).toBeLessThan(200_000);
    expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThan(3_000_000);
  });
});
