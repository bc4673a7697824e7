import { describe, expect, it } from "vitest";
import {
  TCP,
  UDP,
  configOf,
  fixture,
  gateway1,
  listenerOf,
  optionsWith,
  owned,
  patched,
  plus,
  render,
  secret,
  withGatewayAnnotations,
  withListeners,
  type Objects,
} from "../../test/render/fixture.ts";
import type { CertificateState, Service } from "../resources/core.ts";
import { renderListener } from "./listeners.ts";

const tls = (...names: readonly string[]): unknown => ({
  mode: "Terminate",
  certificateRefs: names.map((name) => ({ name })),
});

const withTls = (value: unknown, objects = fixture, protocol = "TURN-TLS"): Objects =>
  withListeners([{ name: TCP, port: 2, protocol, ...(value ? { tls: value } : {}) }], objects);

const outcomes = (objects: Objects): unknown =>
  Object.fromEntries(render(objects).listeners.map(({ name, outcome }) => [name, outcome]));

describe("a listener", () => {
  it.each([
    ["TURN-UDP", "1.2.3.4", 1234],
    ["TURN-TCP", "5.6.7.8", 4321],
  ] as const)("over %s publishes its public address and port", (protocol, value, port) =>
    expect(
      renderListener(
        gateway1,
        {
          listener: { name: UDP, port: 1, protocol },
          routes: [],
          outcome: "accepted",
          protocol,
          boundPort: 1,
          address: { type: "IPAddress", value, port },
          certificate: undefined,
        },
        "$STUNNER_ADDR",
      ),
    ).toEqual({
      name: `testnamespace/gateway-1/${UDP}`,
      protocol,
      public_address: value,
      public_port: port,
      address: "$STUNNER_ADDR",
      port: 1,
    }),
  );

  it("of an unsupported protocol is left out; the others serve", () => {
    const objects = withListeners([
      { name: UDP, port: 1, protocol: "dummy" },
      { name: TCP, port: 2, protocol: "TURN-TCP" },
    ]);
    expect(configOf(objects).listeners?.map(({ name }) => name)).toEqual([`testnamespace/gateway-1/${TCP}`]);
    expect(render(objects).listeners[0]).toEqual({
      name: UDP,
      entity: `testnamespace/gateway-1/${UDP}`,
      outcome: "unsupported",
      why: "protocol dummy is not supported",
    });
  });

  it.each([
    ["UDP", "TURN-UDP"],
    ["udp", "TURN-UDP"],
    ["tcp", "TURN-TCP"],
    ["turn-udp", "TURN-UDP"],
    ["Turn-Tcp", "TURN-TCP"],
  ])("may say %s for %s", (protocol, expected) =>
    expect(configOf(withListeners([{ name: UDP, port: 1, protocol }])).listeners?.[0]?.protocol).toBe(expected),
  );

  it("may say tls or dtls, which need a certificate all the same", () => {
    const lower = withTls(tls("testsecret-ok"), fixture, "dtls");
    expect(listenerOf(lower, TCP)).toMatchObject({ protocol: "TURN-DTLS", cert: "testcert" });
    expect(outcomes(withTls(undefined, fixture, "tls"))).toEqual({ [TCP]: "unresolved" });
  });

  it("ignores its hostname; in logs of the first release also allowedRoutes.kinds", () => {
    const objects = (kinds: readonly { readonly kind: string }[]) =>
      withListeners([{ name: UDP, port: 1, protocol: "UDP", hostname: "example.org", allowedRoutes: { kinds } }]);
    expect(listenerOf(objects([]), UDP)?.routes).toEqual(["testnamespace/udproute-ok"]);
    const { listeners } = configOf(objects([{ kind: "TCPRoute" }]), optionsWith({ rules: 1 }));
    expect(listeners?.[0]?.routes).toEqual(["testnamespace/udproute-ok"]);
  });
});

describe("a listener with TLS", () => {
  it("serves the certificate of a Secret in the Gateway's namespace; a UDP listener has none", () => {
    const objects = withListeners([
      { name: UDP, port: 1, protocol: "TURN-UDP" },
      { name: "tls", port: 2, protocol: "TURN-TLS", tls: tls("testsecret-ok") as object },
      { name: "dtls", port: 3, protocol: "TURN-DTLS", tls: tls("testsecret-ok") as object },
    ]);
    expect(listenerOf(objects, "tls")).toMatchObject({ cert: "testcert", key: "testkey" });
    expect(listenerOf(objects, "dtls")).toMatchObject({ cert: "testcert", key: "testkey" });
    expect(listenerOf(objects, UDP)).not.toHaveProperty("cert");
  });

  it.each(["Opaque", ""])("accepts a Secret of type %j", (type) => {
    const objects = patched(withTls(tls("testsecret-ok")), "Secret", { type }, "testsecret-ok");
    expect(listenerOf(objects, TCP)).toMatchObject({ cert: "testcert", key: "testkey" });
  });

  it.each([
    [{ cert: "c", key: "k" }],
    [{ crt: "c", key: "k" }],
    [{ "tls.crt": "c", crt: "other", cert: "other", "tls.key": "k", key: "other" }],
  ])("finds certificate and key in %j", (data) =>
    expect(listenerOf(plus(withTls(tls("other")), secret("other", data)), TCP)).toMatchObject({ cert: "c", key: "k" }),
  );

  it("may name the core group as v1, as authRef may", () => {
    const reference = { certificateRefs: [{ group: "v1", name: "testsecret-ok" }] };
    expect(listenerOf(withTls(reference), TCP)).toMatchObject({ cert: "testcert" });
  });

  it("serves every usable certificateRef, the first as the default, and names the others in its status", () => {
    const objects = plus(
      withTls(tls("absent", "second", "keyless", "testsecret-ok", "second"), owned()),
      secret("keyless", { "tls.crt": "c" }),
      secret("second", { "tls.crt": "c2", "tls.key": "k2" }),
    );
    expect(listenerOf(objects, TCP)).toMatchObject({
      cert: "c2",
      key: "k2",
      certificates: [{ cert: "testcert", key: "testkey" }],
    });
    expect(render(objects).status.listeners[0]?.conditions[2]).toMatchObject({
      status: "False",
      reason: "InvalidCertificateRef",
      message: "Secret testnamespace/absent not found; Secret testnamespace/keyless has no certificate or no key",
    });
    expect(listenerOf(withTls(tls("testsecret-ok")), TCP)).not.toHaveProperty("certificates");
  });

  it("serves only the first usable certificateRef in logs of earlier rules", () => {
    const objects = plus(
      withTls(tls("absent", "second", "testsecret-ok"), owned()),
      secret("second", { "tls.crt": "c2", "tls.key": "k2" }),
    );
    const { config, status } = render(objects, optionsWith({ rules: 2 }));
    expect(config?.listeners?.[0]).toMatchObject({ cert: "c2" });
    expect(config?.listeners?.[0]).not.toHaveProperty("certificates");
    expect(status.listeners[0]?.conditions[2]).toMatchObject({ status: "True" });
  });

  it.each([
    ["its Secret is absent", tls("absent")],
    ["the key is missing", tls("keyless")],
    ["the certificate is missing", tls("certless")],
    ["the certificate is empty", tls("empty")],
    ["the TLS mode is Passthrough", { mode: "Passthrough" }],
    ["nothing is referred to", { mode: "Terminate" }],
    ["there is no tls block", undefined],
    ["the reference is not to a Secret", { certificateRefs: [{ kind: "ConfigMap", name: "testsecret-ok" }] }],
    ["the reference is of another group", { certificateRefs: [{ group: "example.org", name: "testsecret-ok" }] }],
  ])("is left out where %s, and the rest serves", (_, value) => {
    const objects = plus(
      withListeners([
        { name: UDP, port: 1, protocol: "TURN-UDP" },
        { name: TCP, port: 2, protocol: "TURN-TLS", ...(value ? { tls: value } : {}) },
      ]),
      secret("keyless", { "tls.crt": "c" }),
      secret("certless", { "tls.key": "k" }),
      secret("empty", { "tls.crt": "", "tls.key": "k" }),
    );
    expect(outcomes(objects)).toEqual({ [UDP]: "accepted", [TCP]: "unresolved" });
    expect(configOf(objects).listeners?.map(({ name }) => name)).toEqual([`testnamespace/gateway-1/${UDP}`]);
  });

  describe("by what its certificate is", () => {
    const dates = { notBefore: "2026-01-01T00:00:00.000Z", notAfter: "2027-01-01T00:00:00.000Z" };
    const withState = (name: string, certificate: CertificateState): unknown =>
      Object.assign({}, secret(name, { "tls.crt": `cert of ${name}`, "tls.key": "k" }), { certificate });
    const bad: readonly (readonly [string, CertificateState, RegExp])[] = [
      ["unreadable", { parses: false }, /cannot be read/],
      ["of another key", { parses: true, matchesKey: false, problem: "key-mismatch" }, /does not match/],
      ["with an unreadable key", { parses: true, problem: "key-unreadable" }, /private key cannot be read/],
      ["for clients", { parses: true, problem: "not-for-servers" }, /serverAuth/],
      ["of an authority", { parses: true, problem: "not-for-handshakes" }, /key usage/],
      ["with a broken chain", { parses: true, problem: "unusable" }, /chain cannot be used/],
    ];

    it.each(bad)("is left out where it is %s, and the status says why", (_, state, why) => {
      const objects = plus(withTls(tls("bad"), owned()), withState("bad", state));
      expect(outcomes(objects)).toEqual({ [TCP]: "unresolved" });
      expect(render(objects).status.listeners[0]?.conditions[2]).toMatchObject({
        status: "False",
        reason: "InvalidCertificateRef",
        message: expect.stringMatching(why),
      });
      expect(render(objects).status.conditions[1]).toMatchObject({ status: "False", reason: "Invalid" });
    });

    it.each([
      ["expired", { parses: true, ...dates, validity: "expired" }, /expired at 2027-01-01/],
      ["not yet valid", { parses: true, ...dates, validity: "not-yet-valid" }, /not valid before 2026-01-01/],
    ] as const)("serves one that is %s for calls in progress, and says that it is", (_, state, why) => {
      const objects = plus(withTls(tls("old"), owned()), withState("old", state));
      expect(listenerOf(objects, TCP)?.cert).toBe("cert of old");
      const { status } = render(objects);
      expect(status.listeners[0]?.conditions[2]).toMatchObject({
        status: "False",
        reason: "InvalidCertificateRef",
        message: expect.stringMatching(why),
      });
      expect(status.conditions[1]).toMatchObject({
        status: "False",
        reason: "Invalid",
        message: expect.stringMatching(why),
      });
    });

    it("is by default the first that is valid; the others that can be used are served, too", () => {
      const objects = plus(
        withTls(tls("absent", ...bad.map((_, index) => `bad-${index}`), "old", "good", "other"), owned()),
        ...bad.map(([, state], index) => withState(`bad-${index}`, state)),
        withState("old", { parses: true, ...dates, validity: "expired" }),
        withState("good", { parses: true, matchesKey: true, ...dates }),
        withState("other", { parses: true, matchesKey: true, ...dates }),
      );
      expect(listenerOf(objects, TCP)).toMatchObject({
        cert: "cert of good",
        certificates: [{ cert: "cert of old" }, { cert: "cert of other" }],
      });
      const { message } = render(objects).status.listeners[0]?.conditions[2] ?? {};
      for (const named of ["absent", "bad-0", "bad-5", "old"]) expect(message).toContain(`testnamespace/${named}`);
    });

    it("is served whatever it is in a log of the first release", () => {
      const objects = plus(withTls(tls("bad")), withState("bad", { parses: false }));
      expect(configOf(objects, optionsWith({ rules: 1 })).listeners).toHaveLength(1);
    });
  });
});

describe("listeners of one Gateway", () => {
  const listeners = [
    { name: "udp", port: 1, protocol: "UDP" },
    { name: "udp-ok", port: 2, protocol: "UDP" },
    { name: "udp-conflicted", port: 1, protocol: "turn-udp" },
    { name: "dtls-conflicted", port: 1, protocol: "DTLS" },
    { name: "tcp", port: 11, protocol: "TCP" },
    { name: "tcp-ok", port: 12, protocol: "TCP" },
    { name: "tcp-conflicted", port: 11, protocol: "TURN-TCP" },
    { name: "tls-conflicted", port: 11, protocol: "TLS" },
  ];

  it("conflict if they share a port of one transport: the first keeps it", () => {
    const objects = withListeners(listeners, owned());
    const { config, status } = render(objects);
    expect(config?.listeners?.map(({ port, public_port }) => [port, public_port])).toEqual([
      [1, 1],
      [2, undefined],
      [11, undefined],
      [12, undefined],
    ]);
    expect(status.conditions[1]).toMatchObject({ status: "False", reason: "AddressNotAssigned" });
    expect(outcomes(objects)).toEqual({
      udp: "accepted",
      "udp-ok": "accepted",
      "udp-conflicted": "conflicted",
      "dtls-conflicted": "conflicted",
      tcp: "accepted",
      "tcp-ok": "accepted",
      "tcp-conflicted": "conflicted",
      "tls-conflicted": "conflicted",
    });
    expect(status.listeners[3]?.conditions.map(({ status: value, reason }) => `${value}/${reason}`)).toEqual([
      "False/PortUnavailable",
      "True/ProtocolConflict",
      "True/ResolvedRefs",
    ]);
  });

  it("may share a number over UDP and TCP", () =>
    expect(
      outcomes(
        withListeners([
          { name: "udp", port: 1, protocol: "UDP" },
          { name: "tcp", port: 1, protocol: "TCP" },
        ]),
      ),
    ).toEqual({ udp: "accepted", tcp: "accepted" }));

  it("listen on their target ports and publish their own", () => {
    const targetPorts = JSON.stringify({ [UDP]: 11, dummy: 12, [TCP]: 13 });
    const objects = withGatewayAnnotations({ "stunner.l7mp.io/targetport": targetPorts }, owned());
    expect(configOf(objects).listeners?.map(({ port, public_port }) => [port, public_port])).toEqual([
      [11, 1],
      [13, 2],
    ]);
  });

  it.each([
    ["0", "target port 0 is not a port"],
    ["70000", "target port 70000 is not a port"],
    ['"3478"', 'target port "3478" is not a port'],
  ])("are refused by themselves where the target port is %s; the others serve", (port, why) => {
    const objects = withGatewayAnnotations({ "stunner.l7mp.io/targetport": `{"${UDP}":${port},"${TCP}":13}` }, owned());
    const { config, listeners, status, objects: made } = render(objects);
    expect(config?.listeners?.map((one) => one.port)).toEqual([13]);
    expect(listeners[0]).toMatchObject({ outcome: "target-port", why: expect.stringContaining(why) });
    expect(status.listeners[0]?.conditions[0]).toMatchObject({
      status: "False",
      reason: "PortUnavailable",
      message: expect.stringContaining(why),
    });
    expect(status.conditions[1]).toMatchObject({
      status: "False",
      reason: "Invalid",
      message: expect.stringContaining(`listener ${UDP} cannot serve`),
    });
    const [service] = made as readonly Service[];
    expect(service?.spec?.ports?.map(({ name }) => name)).toEqual([TCP]);
  });

  it("are refused where the target port is that of another listener of the transport", () => {
    const objects = withGatewayAnnotations(
      { "stunner.l7mp.io/targetport": '{"b":5,"c":5}' },
      withListeners([
        { name: "a", port: 5, protocol: "UDP" },
        { name: "b", port: 6, protocol: "DTLS" },
        { name: "c", port: 7, protocol: "TCP" },
      ]),
    );
    expect(outcomes(objects)).toEqual({ a: "accepted", b: "target-port-conflict", c: "accepted" });
    expect(configOf(objects).listeners?.map(({ name }) => name)).toEqual([
      "testnamespace/gateway-1/a",
      "testnamespace/gateway-1/c",
    ]);
  });

  it("keep what the first release made of target ports in its logs", () => {
    const objects = withGatewayAnnotations({ "stunner.l7mp.io/targetport": `{"${UDP}":0}` });
    expect(configOf(objects, optionsWith({ rules: 1 })).listeners?.map(({ port }) => port)).toEqual([0, 2]);
  });
});
