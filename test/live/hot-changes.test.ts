/** What changes while calls are up: endpoints, routes, credentials, the realm, a listener. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JournalLine } from "../../src/journal/fact.ts";
import { ephemeralCredentials } from "../../src/turn-client/credentials.ts";
import { TurnClient, TurnResponseError } from "../../src/turn-client/turn-client.ts";
import { startEchoBackend, startLive, type EchoBackend, type Live, type World } from "../support/live.ts";
import { secret } from "../support/manifests.ts";
import { startStream, type Stream } from "../support/stream.ts";

const credentials = { username: "user-1", password: "pass-1" };
const REMOVED = { address: "127.0.0.1" };
const OTHER = { address: "127.0.0.2" };
const world: World = { backends: [REMOVED], otherBackends: [OTHER] };

let live: Live;
let leaving: EchoBackend;
let staying: EchoBackend;
let streams: Stream[];

beforeEach(async () => {
  [leaving, staying] = await Promise.all([startEchoBackend(REMOVED.address), startEchoBackend(OTHER.address)]);
  live = await startLive(world);
  streams = [];
});
afterEach(async () => {
  for (const stream of streams) stream.stop();
  await live.stop();
  await Promise.all([leaving.close(), staying.close()]);
});

const connection = (transport: "udp" | "tcp" = "udp") => ({
  host: "127.0.0.1",
  port: live.port,
  transport,
  ...credentials,
});
const stream = async (backend: EchoBackend, transport: "udp" | "tcp" = "udp"): Promise<Stream> => {
  const started = await startStream(connection(transport), backend);
  streams.push(started);
  return started;
};
/** Two clients at each backend, over UDP and TCP. */
const calls = async (): Promise<{ readonly atLeaving: readonly Stream[]; readonly atStaying: readonly Stream[] }> => {
  const atLeaving = await Promise.all([stream(leaving), stream(leaving, "tcp")]);
  const atStaying = await Promise.all([stream(staying), stream(staying, "tcp")]);
  await Promise.all([...atLeaving, ...atStaying].map((one) => one.flows(5)));
  return { atLeaving, atStaying };
};
const flow = (some: readonly Stream[], packets: number): Promise<unknown> =>
  Promise.all(some.map((one) => one.flows(packets)));
const noneLost = async (some: readonly Stream[]): Promise<void> =>
  expect(await Promise.all(some.map((one) => one.lost()))).toEqual(some.map(() => []));

/** Called once a change is published: nothing that `cut` sends from now on returns, while `others` go on. */
const expectCut = async (cut: readonly Stream[], others: readonly Stream[]): Promise<void> => {
  const nextOf = cut.map(({ sent }) => sent);
  await flow(others, 50);
  for (const [index, one] of cut.entries()) {
    expect(one.sent).toBeGreaterThan(nextOf[index]!);
    expect(Math.max(...one.received)).toBeLessThan(nextOf[index]!);
  }
};

/** Sequence numbers of a line and of what it follows from, nearest first. */
const causesOf = (line: JournalLine, lines: readonly JournalLine[]): readonly JournalLine[] => {
  const cause = lines.find(({ seq }) => seq === line.cause);
  return cause === undefined ? [line] : [line, ...causesOf(cause, lines)];
};

describe("an endpoint, while traffic runs", () => {
  it("that is terminating keeps flowing, with no packet lost; removed, it is cut when the change is published, with the cause on record", async () => {
    const { atLeaving, atStaying } = await calls();

    await live.edit({ ...world, backends: [{ ...REMOVED, terminating: true }] });
    await flow(atLeaving, 50);
    expect(live.standalone.state().endpoints).toContainEqual(
      expect.objectContaining({ address: REMOVED.address, state: "terminating" }),
    );
    for (const { sent, received } of atLeaving)
      await expect.poll(() => Array.from({ length: sent }, (_, n) => n).filter((n) => !received.has(n))).toEqual([]);

    await live.edit({ ...world, backends: [] });
    await expectCut(atLeaving, atStaying);

    const lines = live.lines();
    const transition = (to: string) =>
      lines.find(
        (line) =>
          line.type === "transition" && line.data.entity === `default/echo#${REMOVED.address}` && line.data.to === to,
      );
    const revoked = lines.find((line) => line.type === "endpoint.revoked");
    const [terminating, gone] = [transition("terminating"), transition("gone")];
    expect(revoked?.data).toMatchObject({
      gateway: "default/gateway",
      cluster: "default/echo",
      endpoint: REMOVED.address,
      permissions: 2,
      channels: 2,
      because: { entity: `default/echo#${REMOVED.address}`, from: "terminating", to: "gone" },
    });
    expect([terminating?.seq, gone?.seq, revoked?.seq]).toEqual(
      [terminating?.seq, gone?.seq, revoked?.seq].toSorted((a, b) => a! - b!),
    );
    expect(gone?.data).toMatchObject({ from: "terminating" });
    // The cut and the transition have one cause: the edited EndpointSlice.
    expect(gone?.cause).toBe(revoked?.cause);
    expect(causesOf(revoked!, lines)[1]).toMatchObject({ type: "object.seen", data: { kind: "EndpointSlice" } });

    await noneLost(atStaying);
  });

  it("that recovers from terminating never lost a packet", async () => {
    const { atLeaving, atStaying } = await calls();
    await live.edit({ ...world, backends: [{ ...REMOVED, terminating: true }] });
    await flow(atLeaving, 10);
    await live.edit(world);
    await flow(atLeaving, 10);
    expect(live.standalone.state().endpoints).toContainEqual(
      expect.objectContaining({ address: REMOVED.address, state: "active" }),
    );
    await noneLost([...atLeaving, ...atStaying]);
  });

  it("that comes back after it was removed must be asked for again, and then flows", async () => {
    const [call] = (await calls()).atLeaving;
    await live.edit({ ...world, backends: [] });
    await expect(call!.client.channelBind(0x4001, leaving)).rejects.toMatchObject({ code: 403 });
    await live.edit(world);
    await call!.client.channelBind(0x4001, leaving);
    await call!.flows(10);
  });

  it("survives fifty edits that do not concern it", async () => {
    const { atStaying } = await calls();
    for (let n = 1; n <= 50; n += 1) await live.edit({ ...world, backends: [REMOVED, { address: `127.0.1.${n}` }] });
    await flow(atStaying, 10);
    await noneLost(atStaying);
  });
});

describe("a route, while traffic runs", () => {
  it("that is detached cuts its own backends when the change is published, and no others; attached again, they are admitted", async () => {
    const { atLeaving, atStaying } = await calls();
    await live.edit({ ...world, attached: ["other"] });
    await expectCut(atLeaving, atStaying);
    await live.edit(world);
    await atLeaving[0]!.client.channelBind(0x4001, leaving);
    await atLeaving[0]!.flows(10);
    await noneLost(atStaying);
  });
});

describe("credentials and realm, while traffic runs", () => {
  const allocate = async (username: string, password: string): Promise<TurnClient> => {
    const client = await TurnClient.connect({ ...connection(), username, password });
    await client.allocate();
    return client;
  };
  const isRefused = (code: number) => expect.objectContaining({ constructor: TurnResponseError, code });

  it("change hot: calls go on and refresh, new clients need the new password", async () => {
    const { atLeaving, atStaying } = await calls();
    await live.edit({ ...world, auth: { authType: "static", userName: "user-1", password: "pass-2" } });
    await flow([...atLeaving, ...atStaying], 10);
    for (const one of atLeaving) {
      expect(await one.client.refresh(600)).toBe(600);
      await one.client.channelBind(0x4001, leaving);
    }
    await expect(allocate("user-1", "pass-1")).rejects.toEqual(isRefused(401));
    (await allocate("user-1", "pass-2")).close();
    await noneLost([...atLeaving, ...atStaying]);
  });

  it("change from static to ephemeral without a call noticing", async () => {
    const { atLeaving, atStaying } = await calls();
    await live.edit({ ...world, auth: { authType: "ephemeral", sharedSecret: "s3cret" } });
    await flow([...atLeaving, ...atStaying], 10);
    expect(await atLeaving[0]!.client.refresh(600)).toBe(600);
    await expect(allocate("user-1", "pass-1")).rejects.toEqual(isRefused(401));
    await noneLost([...atLeaving, ...atStaying]);
  });

  it("change realm: calls go on and refresh, new clients get the new realm", async () => {
    const { atLeaving, atStaying } = await calls();
    await live.edit({ ...world, realm: "new.example.org" });
    await flow([...atLeaving, ...atStaying], 10);
    for (const one of [...atLeaving, ...atStaying]) expect(await one.client.refresh(600)).toBe(600);
    (await allocate("user-1", "pass-1")).close();
    expect(live.standalone.state().gateways[0]?.auth).toEqual({ type: "static", realm: "new.example.org" });
    await noneLost([...atLeaving, ...atStaying]);
  });

  it("rotate a shared secret without a client being refused: both are accepted meanwhile", async () => {
    const { atLeaving, atStaying } = await calls();
    const rotate = (data: Readonly<Record<string, string>>) =>
      live.edit({
        ...world,
        auth: { authRef: { name: "turn" } },
        more: [{ ...secret("default/turn", {}), stringData: { type: "ephemeral", ...data } }],
      });
    const isAccepted = async (value: string): Promise<void> => {
      const { username, password } = ephemeralCredentials(value, "alice", 60);
      (await allocate(username, password)).close();
    };
    await rotate({ secret: "first" });
    await isAccepted("first");
    await rotate({ secret: "second", "secret.before": "first" });
    await Promise.all([isAccepted("first"), isAccepted("second")]);
    await rotate({ secret: "second" });
    await isAccepted("second");
    await expect(isAccepted("first")).rejects.toEqual(isRefused(401));
    await flow([...atLeaving, ...atStaying], 10);
    await noneLost([...atLeaving, ...atStaying]);
    expect(JSON.stringify(live.lines())).not.toMatch(/first|second/);
  });

  it("leave no secret in the log", async () => {
    await live.edit({ ...world, auth: { authType: "static", userName: "user-1", password: "hush-hush" } });
    const text = JSON.stringify(live.lines()) + JSON.stringify(live.standalone.state());
    expect(text).toContain("user-1");
    expect(text).not.toMatch(/hush-hush|pass-1/);
  });
});

describe("a listener, while traffic runs", () => {
  it("that goes takes its own calls with it and leaves the other's alone", async () => {
    const overUdp = await stream(staying);
    const overTcp = await stream(staying, "tcp");
    await flow([overUdp, overTcp], 5);
    await live.edit({ ...world, protocols: ["TURN-UDP"] });
    await live.waitFor(() => expect(overTcp.client.isClosed).toBe(true));
    await overUdp.flows(20);
    await noneLost([overUdp]);
  });

  it("whose manifest is broken goes on as before, and the reason is on record", async () => {
    const { atStaying } = await calls();
    live.write({ ...world, port: 99_999 });
    await live.waitFor(() =>
      expect(live.standalone.state().rejections).toContainEqual(
        expect.objectContaining({ object: "Gateway/default/gateway", field: "spec.listeners[0].port" }),
      ),
    );
    await flow(atStaying, 10);
    await live.edit({ ...world, protocols: ["TURN-UDP", "TURN-TCP"], backends: [REMOVED, { address: "127.0.0.7" }] });
    expect(live.standalone.state().rejections).toEqual([]);
    await noneLost(atStaying);
  });
});
