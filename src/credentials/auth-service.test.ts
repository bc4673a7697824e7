/** The table that STUNner's authentication service is tested with, over HTTP. */
import { afterEach, describe, expect, it } from "vitest";
import { createAuthPolicy } from "../dataplane/auth/policy.ts";
import type { AuthConfig, DataplaneConfig, ListenerConfig, ListenerProtocol } from "../resources/dataplane-config.ts";
import { startAuthService, type Answered, type AuthService, type AuthServiceOptions } from "./auth-service.ts";

const listener = (name: string, protocol: ListenerProtocol, more: Partial<ListenerConfig>): ListenerConfig => ({
  name,
  protocol,
  address: "127.0.0.1",
  port: 3479,
  ...more,
});

const staticAuth: AuthConfig = {
  type: "static",
  realm: "stunner.l7mp.io",
  credentials: { username: "user1", password: "pass1" },
};
const ephemeralAuth: AuthConfig = {
  type: "ephemeral",
  realm: "stunner.l7mp.io",
  credentials: { secret: "my-secret" },
};

interface Fixture {
  readonly suffix?: string;
  readonly auth?: AuthConfig;
  readonly known?: Partial<ListenerConfig>;
  readonly unknown?: Partial<ListenerConfig>;
}

const configOf = ({ suffix = "", auth = staticAuth, known, unknown = {} }: Fixture = {}): DataplaneConfig => {
  const open = known ?? { public_address: suffix === "" ? "1.2.3.4" : "1.2.3.5", public_port: 3478 };
  return {
    version: "v1",
    admin: { name: `testnamespace/stunnerd${suffix}` },
    auth,
    listeners: [
      listener(`testnamespace/testgateway${suffix}/udp`, "TURN-UDP", open),
      listener(`dummynamespace/testgateway${suffix}/tcp`, "TURN-TCP", open),
      listener(`testnamespace/dummygateway${suffix}/tls`, "TURN-TLS", unknown),
      listener(`testnamespace/testgateway${suffix}/dtls`, "TURN-DTLS", unknown),
      listener("not-of-three-parts", "TURN-UDP", {}),
    ],
  };
};

const FOUR = [
  "turn:1.2.3.4:3478?transport=udp",
  "turn:1.2.3.4:3478?transport=tcp",
  "turns:127.0.0.1:3479?transport=tcp",
  "turns:127.0.0.1:3479?transport=udp",
];

let service: AuthService | undefined;
const answered: Answered[] = [];
afterEach(async () => {
  await service?.close();
  service = undefined;
  answered.length = 0;
});

const start = async (
  configs: readonly DataplaneConfig[],
  more: Partial<AuthServiceOptions> = {},
): Promise<(path: string, init?: RequestInit) => Promise<Response>> => {
  service = await startAuthService({
    host: "127.0.0.1",
    port: 0,
    configs: () => configs,
    report: (one) => answered.push(one),
    ...more,
  });
  const { port } = service;
  return (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init);
};

interface Turn {
  readonly username: string;
  readonly password: string;
  readonly ttl: number;
  readonly uris: readonly string[];
}
interface Ice {
  readonly iceServers: readonly {
    readonly username: string;
    readonly credential: string;
    readonly urls: readonly string[];
  }[];
  readonly iceTransportPolicy: string;
}

const both = async (configs: readonly DataplaneConfig[], query: string, more: Partial<AuthServiceOptions> = {}) => {
  const ask = await start(configs, more);
  const [turn, ice] = [await ask(`/?service=turn${query}`), await ask(`/ice?service=turn${query}`)];
  expect([turn.status, ice.status]).toEqual([200, 200]);
  for (const { headers } of [turn, ice]) expect(headers.get("content-type")).toBe("application/json; charset=UTF-8");
  return { turn: (await turn.json()) as Turn, ice: (await ice.json()) as Ice };
};

const accepts = (auth: AuthConfig, username: string, password: string, now = Date.now()): boolean =>
  createAuthPolicy(auth).credentials(username, now)[0]?.password === password;

describe("the authentication service", () => {
  it("gives static credentials, whatever user and ttl are asked for", async () => {
    const { turn, ice } = await both([configOf()], "&username=dummy&ttl=1&key=ignored");
    expect(turn).toEqual({ password: "pass1", ttl: 1, uris: FOUR, username: "user1" });
    expect(ice).toEqual({
      iceServers: [{ credential: "pass1", urls: FOUR, username: "user1" }],
      iceTransportPolicy: "all",
    });
  });

  it("writes fields in the order of STUNner's, and nothing around them", async () => {
    const ask = await start([configOf()]);
    const query = "service=turn&namespace=testnamespace&gateway=testgateway&listener=udp";
    expect(await (await ask(`/?${query}`)).text()).toBe(
      '{"password":"pass1","ttl":86400,"uris":["turn:1.2.3.4:3478?transport=udp"],"username":"user1"}\n',
    );
    expect(await (await ask(`/ice?${query}&iceTransportPolicy=relay`)).text()).toBe(
      '{"iceServers":[{"credential":"pass1","urls":["turn:1.2.3.4:3478?transport=udp"],"username":"user1"}],"iceTransportPolicy":"relay"}\n',
    );
  });

  it.each([
    ["", /^\d+:$/],
    ["&username=dummy", /^\d+:dummy$/],
  ])("makes time-limited credentials that a relay takes (%s)", async (query, pattern) => {
    const config = configOf({ auth: ephemeralAuth });
    const { turn, ice } = await both([config], query);
    expect(turn.username).toMatch(pattern);
    expect(accepts(ephemeralAuth, turn.username, turn.password)).toBe(true);
    const [first] = ice.iceServers;
    expect(accepts(ephemeralAuth, first!.username, first!.credential)).toBe(true);
  });

  it("makes them for as long as is asked", async () => {
    const { turn } = await both([configOf({ auth: ephemeralAuth })], "&ttl=1");
    expect(turn.ttl).toBe(1);
    expect(accepts(ephemeralAuth, turn.username, turn.password, Date.now())).toBe(true);
    expect(accepts(ephemeralAuth, turn.username, turn.password, Date.now() + 2000)).toBe(false);
  });

  it("gives one of two configs, and both to clients of ICE", async () => {
    const { turn, ice } = await both([configOf(), configOf({ suffix: "2" })], "");
    expect(turn.uris).toHaveLength(4);
    expect(ice.iceServers.map(({ urls }) => urls.length)).toEqual([4, 4]);
  });

  it.each([
    ["&namespace=testnamespace", 3],
    ["&namespace=testnamespace&gateway=testgateway", 2],
    ["&namespace=testnamespace&gateway=testgateway&listener=udp", 1],
    ["&gateway=testgateway", 4],
    ["&listener=udp", 4],
    ["&namespace=testnamespace&listener=udp", 3],
  ])("keeps to the listeners that are asked for (%s)", async (query, count) => {
    const { turn, ice } = await both([configOf()], query);
    expect(turn.uris).toHaveLength(count);
    expect(ice.iceServers[0]?.urls).toHaveLength(count);
  });

  it.each([
    ["", undefined, "1.2.3.4"],
    ["&public-addr=1.3.5.7", undefined, "1.3.5.7"],
    ["", "2.4.6.8", "2.4.6.8"],
    ["&public-addr=1.3.5.7", "2.4.6.8", "1.3.5.7"],
    ["&public-addr=fd00::1", undefined, "[fd00::1]"],
  ])("takes the address of the request, then its own, then the listener's (%s, %s)", async (query, own, address) => {
    const { turn } = await both([configOf()], query, { publicAddress: own });
    expect(turn.uris[0]).toBe(`turn:${address}:3478?transport=udp`);
    if (address !== "1.2.3.4") expect(turn.uris.every((uri) => uri.includes(`:${address}:`))).toBe(true);
  });

  it.each([
    [{ port: 3478 }, "127.0.0.1"],
    [{ port: 3478, address: "" }, "0.0.0.0"],
    [{ port: 3478, address: "__node_address_placeholder" }, "0.0.0.0"],
    [{ port: 3478, address: "$STUNNER_ADDR" }, "0.0.0.0"],
    [{ port: 3478, public_address: "dummy.example.io" }, "dummy.example.io"],
    [{ port: 3478, public_address: "5.4.3.2", address: "__node_address_placeholder" }, "5.4.3.2"],
    [{ port: 3478, address: "dummy.example.io" }, "dummy.example.io"],
  ])("knows where %j is", async (known, address) => {
    const { turn } = await both([configOf({ known })], "");
    expect(turn.uris.slice(0, 2)).toEqual([`turn:${address}:3478?transport=udp`, `turn:${address}:3478?transport=tcp`]);
  });

  it("gives a URI for each public address of a listener, and one alone for an address that is asked for", async () => {
    const known = { port: 3478, public_address: "5.4.3.2", more_public_addresses: ["2001:db8::1", "lb.example.org"] };
    const { turn } = await both([configOf({ known })], "&namespace=testnamespace&gateway=testgateway&listener=udp");
    const asked = await both([configOf({ known })], "&public-addr=1.3.5.7");
    expect(turn.uris.slice(0, 3)).toEqual(
      ["5.4.3.2", "[2001:db8::1]", "lb.example.org"].map((host) => `turn:${host}:3478?transport=udp`),
    );
    expect(asked.turn.uris).toHaveLength(4);
  });

  it("gives empty credentials where nobody is authenticated, and passes over a Gateway that lacks its own", async () => {
    const none: AuthConfig = { type: "none", realm: "r", credentials: {} };
    const broken: AuthConfig = { type: "ephemeral", realm: "r", credentials: {} };
    const { turn, ice } = await both([configOf({ auth: broken }), configOf({ auth: none })], "");
    expect(turn).toMatchObject({ username: "", password: "" });
    expect(ice.iceServers).toHaveLength(1);
  });

  it.each([
    ["/", 400, "Query argument service is required, but not found"],
    ["/?service=", 400, "Query argument service is required, but not found"],
    ["/?service=turn&ttl=soon", 400, /^Invalid format for parameter ttl: /],
    ["/?service=dummy", 400, /^could not generate TURN auth token:/],
    ["/?service=turn&namespace=nowhere", 404, "could not generate TURN auth token: no valid listener found"],
    ["/ice", 400, /^could not generate ICE auth token:/],
    ["/ice?service=dummy", 400, /^could not generate ICE auth token:/],
    ["/ice?service=turn&ttl=1.5", 400, /^Invalid format for parameter ttl: /],
    ["/ice?service=turn&namespace=nowhere", 404, "could not generate ICE config: no valid listener found"],
    ["/elsewhere", 404, /./],
    ["//", 404, /./],
  ])("refuses %s with %i", async (path, status, body) => {
    const ask = await start([configOf(), configOf({ suffix: "2" })]);
    const response = await ask(path);
    expect(response.status).toBe(status);
    expect(await response.text()).toEqual(typeof body === "string" ? body : expect.stringMatching(body));
    expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
  });

  it("answers GET alone", async () => {
    const ask = await start([configOf()]);
    for (const method of ["POST", "HEAD", "DELETE"])
      expect((await ask("/ice?service=turn", { method })).status).toBe(405);
  });

  it.each([
    ["/?service=turn", 500],
    ["/?service=dummy", 500],
    ["/", 400],
    ["/ice?service=dummy", 500],
    ["/ice", 500],
  ])("without a config refuses %s with %i", async (path, status) => {
    const ask = await start([]);
    const response = await ask(path);
    expect(response.status).toBe(status);
    if (status === 500) expect(await response.text()).toBe("no STUNner configuration available");
  });

  it("asks for its token, if it has one", async () => {
    const ask = await start([configOf()], { token: "let me in" });
    for (const authorization of [undefined, "Bearer wrong", "let me in", "Basic let me in"]) {
      const response = await ask(
        "/ice?service=turn",
        authorization === undefined ? {} : { headers: { authorization } },
      );
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
    }
    expect((await ask("/ice?service=turn", { headers: { authorization: "Bearer let me in" } })).status).toBe(200);
  });

  it("lets a client ask so many times a second", async () => {
    const ask = await start([configOf()], { requestsPerSecond: 5 });
    const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await ask("/ice?service=turn")).status));
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(5);
    expect(statuses).toContain(429);
  });

  it("describes itself, and reports nothing that is secret", async () => {
    const ask = await start([configOf({ auth: ephemeralAuth })]);
    const { openapi, paths } = (await (await ask("/openapi.json")).json()) as {
      openapi: string;
      paths: Record<string, { get: { parameters: { name: string }[] } }>;
    };
    expect(openapi).toBe("3.0.3");
    expect(Object.keys(paths)).toEqual(["/", "/ice"]);
    expect(paths["/ice"]?.get.parameters.map(({ name }) => name)).toEqual([
      "service",
      "username",
      "ttl",
      "key",
      "namespace",
      "gateway",
      "listener",
      "public-addr",
      "iceTransportPolicy",
    ]);
    await ask("/?service=turn&username=somebody");
    expect(answered).toEqual([
      { client: "127.0.0.1", path: "/openapi.json", status: 200 },
      { client: "127.0.0.1", path: "/", status: 200 },
    ]);
  });
});
