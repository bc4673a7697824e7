/** Users who are blocked, and calls that are ended: by the Gateway's annotation, and by orders to the admin API. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ephemeralCredentials } from "../../src/turn-client/credentials.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { launch } from "../support/commands.ts";
import { startEchoBackend, startLive, type EchoBackend, type Live, type World } from "../support/live.ts";
import { startStream, type Stream } from "../support/stream.ts";

const TOKEN = "token-of-tests";
const world: World = { auth: { authType: "ephemeral", sharedSecret: "s3cret" } };
const tokenFile = join(mkdtempSync(join(tmpdir(), "turnpike-users-")), "token");
writeFileSync(tokenFile, TOKEN);

let live: Live;
let backend: EchoBackend;
let streams: Stream[];

beforeEach(async () => {
  backend = await startEchoBackend();
  live = await startLive(world, ["127.0.0.1"], TOKEN);
  streams = [];
});
afterEach(async () => {
  for (const stream of streams) stream.stop();
  await live.stop();
  await backend.close();
});

const connection = (user: string) => ({
  host: "127.0.0.1",
  port: live.port,
  transport: "tcp" as const,
  ...ephemeralCredentials("s3cret", user, 60),
});
const call = async (user: string): Promise<Stream> => {
  const stream = await startStream(connection(user), backend);
  streams.push(stream);
  await stream.flows(5);
  return stream;
};
/** The code that an Allocate of the user is refused with; undefined if it is not. */
const refusalOf = async (user: string): Promise<number | undefined> => {
  const client = await TurnClient.connect(connection(user));
  try {
    await client.allocate();
    return undefined;
  } catch (error) {
    return (error as { readonly code?: number }).code;
  } finally {
    client.close();
  }
};
const annotated = (rules: unknown): World => ({
  ...world,
  annotations: { "turnpike.dev/users": JSON.stringify(rules) },
});
const usersOf = (): readonly string[] => [
  ...new Set(live.standalone.relay.state().allocations.map(({ user }) => user)),
];
const movesOf = (user: string) =>
  live
    .lines()
    .flatMap((line) =>
      line.type === "transition" && line.data.machine === "user" && line.data.entity === `default/gateway@${user}`
        ? [line.data]
        : [],
    );
const endOf = (user: string) =>
  live.lines().flatMap((line) => (line.type === "allocation.closed" && line.data.user === user ? [line.data] : []));

const turnpike = async (...args: readonly string[]) => {
  const running = launch([...args, "--admin", `127.0.0.1:${live.standalone.admin.port}`]);
  return { code: await running.ended, output: running.output };
};

describe("the annotation of a Gateway", () => {
  it("blocks a user: calls end, new ones are refused, others do not notice; until it no longer names them", async () => {
    const [alice, bob] = [await call("alice"), await call("bob")];
    await live.edit(annotated({ blocked: { alice: { reason: "abuse", by: "ops" } } }));
    // Before the change is published its calls have ended.
    expect(usersOf()).toEqual(["bob"]);
    await live.waitFor(() => expect(endOf("alice")).toMatchObject([{ reason: "user blocked" }]));
    expect(movesOf("alice").at(-1)).toMatchObject({ from: "admitted", to: "blocked", why: "by ops: abuse" });
    expect(await refusalOf("alice")).toBe(403);
    expect(live.standalone.relay.state().refused).toMatchObject({ "403 blocked": 1 });
    await bob.flows(20);

    await live.edit(world);
    expect(await refusalOf("alice")).toBeUndefined();
    expect(movesOf("alice").at(-1)).toMatchObject({ from: "blocked", event: "released", to: "gone" });
    expect(await bob.lost()).toEqual([]);
    alice.stop();
  });

  it("ends calls once, when a kick appears in it", async () => {
    const [, bob] = [await call("alice"), await call("bob")];
    const kicks = annotated({ kicked: [{ user: "alice", reason: "moved", at: "2026-01-01T00:00:00Z" }] });
    await live.edit(kicks);
    expect(usersOf()).toEqual(["bob"]);
    expect(movesOf("alice").at(-1)).toMatchObject({ event: "kicked", to: "gone", why: "moved" });
    const again = await call("alice");
    await live.edit({ ...kicks, realm: "new.example.org" });
    await again.flows(20);
    expect(await bob.lost()).toEqual([]);
    expect(await again.lost()).toEqual([]);
  });

  it("that cannot be read changes nothing, and the Gateway says so", async () => {
    const alice = await call("alice");
    live.write({ ...world, annotations: { "turnpike.dev/users": '{"blocked":["alice"]}' } });
    await live.waitFor(() =>
      expect(JSON.stringify(live.standalone.state().gateways)).toContain(
        "turnpike.dev/users is ignored: blocked is no object of users",
      ),
    );
    await alice.flows(20);
    expect(await alice.lost()).toEqual([]);
  });
});

describe("orders to the admin API", () => {
  it("kick one call of a user by its relayed address, and leave the other", async () => {
    const [one, other] = [await call("alice"), await call("alice")];
    const [first, second] = live.standalone.relay.state().allocations;
    const order = ["--reason", "stuck", "--by", "ops", "--admin-token-file", tokenFile];
    expect(await turnpike("kick", first!.relayed, ...order)).toEqual({
      code: 0,
      output: `default/gateway: ${first!.relayed} kicked\n`,
    });
    expect(live.standalone.relay.state().allocations.map(({ relayed }) => relayed)).toEqual([second!.relayed]);
    expect(movesOf(first!.relayed).at(-1)).toMatchObject({ event: "kicked", why: "by ops: stuck" });
    // The calls are listed in the order in which they were made.
    await other.flows(20);
    expect(await other.lost()).toEqual([]);
    expect(one.sent).toBeGreaterThan(one.received.size);
  });

  it("block a user, and unblock them", async () => {
    await call("alice");
    const order = ["--reason", "fraud", "--by", "ops", "--admin-token-file", tokenFile];
    expect((await turnpike("block", "alice", ...order)).code).toBe(0);
    expect(usersOf()).toEqual([]);
    expect(await refusalOf("alice")).toBe(403);
    const [blocked] = live.lines().filter((line) => line.type === "object.seen" && line.data.kind === "UserRules");
    expect(blocked).toMatchObject({
      source: "admin",
      data: { object: { spec: { blocked: { alice: { by: "ops" } } } } },
    });
    expect((await turnpike("unblock", "alice", ...order)).code).toBe(0);
    expect(await refusalOf("alice")).toBeUndefined();
    const twice = await turnpike("unblock", "alice", ...order);
    expect(twice).toEqual({ code: 2, output: expect.stringContaining("user alice is not blocked here") });
  });

  it("need the token, a Gateway that is there, and an order that can be read", async () => {
    const alice = await call("alice");
    const post = async (body: unknown, token = TOKEN): Promise<readonly [number, string]> => {
      const response = await fetch(`http://127.0.0.1:${live.standalone.admin.port}/api/v1/users`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
      return [response.status, await response.text()];
    };
    expect(await post({ action: "kick", user: "alice" }, "wrong")).toEqual([401, expect.any(String)]);
    for (const [body, message] of [
      ["{", "not JSON"],
      [{ action: "kick" }, "not one of user, relayed"],
      [{ action: "expel", user: "alice" }, "expected block, unblock, kick"],
      [{ action: "block", relayed: "127.0.0.1:1" }, "name a user"],
      [{ action: "kick", user: "alice", gateway: "default/other" }, "no Gateway default/other here"],
      [{ action: "kick", user: "a".repeat(300) }, "at most 256 characters"],
      ["x".repeat(10_000), "longer than"],
    ] as const)
      expect(await post(body)).toEqual([400, expect.stringContaining(message)]);
    await alice.flows(20);
    expect(await alice.lost()).toEqual([]);
  });

  it("are not taken without a token", async () => {
    const open = await startLive(world);
    const response = await fetch(`http://127.0.0.1:${open.standalone.admin.port}/api/v1/users`, {
      method: "POST",
      body: JSON.stringify({ action: "kick", user: "alice" }),
    });
    expect([response.status, await response.text()]).toEqual([403, expect.stringContaining("orders are off here")]);
    await open.stop();
  });
});
