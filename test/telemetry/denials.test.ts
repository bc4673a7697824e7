/** Every denial has one code: in the event log, the program's log, the metric, the API and what `explain` says. */
import { afterEach, describe, expect, it } from "vitest";
import type { ProgramState } from "../../src/admin/state.ts";
import { sentence } from "../../src/journal/sentence.ts";
import { describeState } from "../../src/cli/status.ts";
import { parseIp } from "../../src/net/ip.ts";
import { pastOf } from "../../src/explain/past.ts";
import { explainPeer } from "../../src/explain/peer.ts";
import { readJournal } from "../../src/journal/reader.ts";
import type { RelayTuning } from "../../src/dataplane/relay.ts";
import type { Name } from "../../src/resources/keys.ts";
import { denialCodes, refusals, statusOf, type DenialCode, type RefusalCode } from "../../src/reasons.ts";
import { TurnClient, TurnResponseError } from "../../src/turn-client/turn-client.ts";
import {
  credentials,
  GATEWAY,
  startTestDataplane,
  type ConfigChanges,
  type TestDataplane,
} from "../support/dataplane.ts";
import { keepLines, type LogLine } from "../support/log-lines.ts";
import { scrape, valueOf } from "../support/metrics.ts";

interface Case {
  readonly config: ConfigChanges;
  readonly peer: string;
  readonly port?: number;
  /** Active before the peer is asked for, with a permission. */
  readonly before?: ConfigChanges;
  readonly relay?: RelayTuning;
}

const everywhere: ConfigChanges = { endpoints: ["0.0.0.0/0"] };

const cases: Readonly<Record<DenialCode, Case>> = {
  "own-address": { config: everywhere, peer: "127.0.0.1", port: 9 },
  "special-address": { config: everywhere, peer: "169.254.169.254" },
  "private-address": { config: everywhere, peer: "10.96.0.1", relay: { deniesPrivate: true } },
  port: { config: { endpoints: ["10.0.0.1:<1000-2000>"] }, peer: "10.0.0.1", port: 3000 },
  revoked: { before: { endpoints: ["10.0.0.1"] }, config: { endpoints: ["10.0.0.2"] }, peer: "10.0.0.1" },
  protocol: {
    config: { clusters: [{ name: "media/tcp", type: "STATIC", protocol: "TCP", endpoints: ["10.0.0.1"] }] },
    peer: "10.0.0.1",
  },
  "no-cluster": { config: { endpoints: ["10.0.0.1"] }, peer: "10.0.0.2" },
};

let here: TestDataplane | undefined;
let client: TurnClient | undefined;

afterEach(async () => {
  client?.close();
  await here?.stop();
  [client, here] = [undefined, undefined];
});

const start = async (
  config: ConfigChanges,
  workers = 0,
  relay: RelayTuning = {},
): Promise<{ here: TestDataplane; lines: readonly LogLine[] }> => {
  const { log, lines } = keepLines();
  here = await startTestDataplane(config, { admin: true, log, workers, relay });
  return { here, lines };
};

const connect = async (port: number, password: string = credentials.password): Promise<TurnClient> => {
  client = await TurnClient.connect({ host: "127.0.0.1", port, username: credentials.username, password });
  return client;
};

const api = async <T>(path: string): Promise<T> =>
  (await (await fetch(`http://127.0.0.1:${here?.dataplane.admin?.port}${path}`)).json()) as T;
const metrics = () => scrape(`http://127.0.0.1:${here?.dataplane.admin?.port}/metrics`);

describe.each([0, 1])("with %i workers, a denial", (workers) => {
  it.each(denialCodes)("has the code %s wherever it is reported", async (code) => {
    const { config, before, peer, port, relay } = cases[code];
    const world = await start(before ?? config, workers, relay);
    const turn = await connect(world.here.ports.udp);
    await turn.allocate();
    if (before !== undefined) {
      await turn.createPermission(peer);
      await world.here.apply(config);
    }
    const asked = port === undefined ? turn.createPermission(peer) : turn.channelBind(0x4000, { address: peer, port });
    await expect(asked).rejects.toThrow("403");

    const refused = () => world.here.facts.find(({ type }) => type === "peer.refused");
    await expect.poll(refused).toBeDefined();
    const fact = refused()!;
    expect(fact.data).toMatchObject({ code, peer, client: `127.0.0.1:${turn.local.port}`, user: credentials.username });
    expect(sentence(fact)).toContain(`: ${code}: `);

    const line = world.lines.find(({ msg }) => msg === "peer refused");
    expect(line).toMatchObject({ level: 30, ...fact.data });

    const series = await metrics();
    expect(valueOf(series, "turnpike_peers_denied_total", { reason: code })).toBe(1);
    expect(valueOf(series, "turnpike_requests_refused_total", { reason: `403 ${code}` })).toBe(1);

    const state = await api<ProgramState>("/api/v1/state");
    expect(state.relay.denied).toEqual({ [code]: 1 });
    expect(state.relay.refused).toMatchObject({ [`403 ${code}`]: 1 });
    const { gateway: _, ...told } = fact.data as Record<string, unknown>;
    expect(state.gateways.find(({ name }) => name === GATEWAY)?.refusals).toEqual([
      { seq: fact.seq, time: fact.time, ...told },
    ]);
    const past = pastOf(readJournal(world.here.journal))!;
    const { because } = explainPeer(past, { peer: parseIp(peer)!, ...(port !== undefined && { port }) });
    // Of a dataplane's own addresses its log knows nothing, but that this one is loopback.
    expect(because.code).toBe(code === "own-address" ? "special-address" : code);
    expect(describeState(state, true)).toMatch(new RegExp(`Refused peers \\(1\\)[^]* ${code} `));
  });
});

describe("a client that is sent to another server", () => {
  it("is counted by `turnpike status`", async () => {
    await start({});
    const state = await api<ProgramState>("/api/v1/state");
    expect(describeState(state, true)).not.toContain("Sent to other servers");
    const refused = { ...state.relay.refused, "300 try-alternate": 2 };
    expect(describeState({ ...state, relay: { ...state.relay, refused } }, true)).toContain(
      "Sent to other servers while this drains: 2\n",
    );
  });
});

describe("a request that is refused", () => {
  const failing: readonly (readonly [RefusalCode, (port: number) => Promise<unknown>])[] = [
    ["401 credentials", async (port) => (await connect(port, "wrong")).allocate()],
    ["437 no-allocation", async (port) => (await connect(port)).refresh()],
    [
      "443 peer-family",
      async (port) => {
        const turn = await connect(port);
        await turn.allocate();
        await turn.createPermission("fd00::1");
      },
    ],
  ];

  it.each(failing)("has the code %s in the log, the metric and the API", async (code, ask) => {
    const world = await start({});
    const error: unknown = await ask(world.here.ports.udp).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(TurnResponseError);
    expect((error as TurnResponseError).code).toBe(statusOf(code));
    expect(world.lines.filter(({ msg }) => msg === "request refused")).toEqual([
      expect.objectContaining({
        level: 20,
        code,
        reason: refusals[code].what,
        gateway: GATEWAY,
        client: `127.0.0.1:${client!.local.port}`,
      }),
    ]);
    expect(valueOf(await metrics(), "turnpike_requests_refused_total", { reason: code })).toBe(1);
    expect((await api<ProgramState>("/api/v1/state")).relay.refused).toMatchObject({ [code]: 1 });
  });
});

describe("the latest refusals of a gateway", () => {
  it("are the last fifty, newest first", async () => {
    const world = await start({ endpoints: ["10.0.0.1"] });
    const turn = await connect(world.here.ports.udp);
    await turn.allocate();
    const ask = async (from: number): Promise<void> => {
      for (let peer = from; peer < from + 40; peer += 1)
        await expect(turn.createPermission(`10.0.1.${peer}`)).rejects.toThrow("403");
    };
    const told = () => world.here.facts.filter(({ type }) => type === "peer.refused");
    await ask(0);
    // Fifty a second are reported: those of another second are.
    await expect
      .poll(async () => {
        await ask(100);
        return told().length;
      })
      .toBeGreaterThan(60);
    const [gateway] = (await api<ProgramState>("/api/v1/state")).gateways;
    expect(gateway?.refusals.map(({ seq }) => seq)).toEqual(
      told()
        .map(({ seq }) => seq)
        .toReversed()
        .slice(0, 50),
    );
  });
});

describe("a log of an earlier release", () => {
  it("is read without codes", () => {
    const data = {
      gateway: GATEWAY as Name,
      listener: "l",
      client: "c",
      user: "u",
      peer: "p",
      reason: "r",
      suppressed: 0,
    };
    const line = { v: 1, seq: 1, time: 0, source: "relay", cause: null, type: "peer.refused", data } as const;
    expect(sentence(line)).toBe("peer p refused to u at c: r");
  });
});
