import pino from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../test/support/free-port.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { ephemeralCredentials } from "../turn-client/credentials.ts";
import { TurnClient } from "../turn-client/turn-client.ts";
import { createRelay } from "./create-relay.ts";
import { placeOn } from "./placement.ts";

const HOST = "127.0.0.1";

describe.each([0, 2])("a relay with %i workers", (workers) => {
  it("ends the calls of users who are blocked or kicked, whichever thread has them, and of nobody else", async () => {
    const port = await freePort(HOST);
    const relay = createRelay({ place: placeOn([HOST]), own: [], workers, log: pino({ level: "silent" }) });
    onTestFinished(() => relay.close());
    const apply = (users: DataplaneConfig["users"]) =>
      relay.apply({
        version: "v1",
        admin: { name: "gw" },
        auth: { type: "ephemeral", realm: "r", credentials: { secret: "s" } },
        listeners: [{ name: "gw/udp", protocol: "TURN-UDP", address: "", port }],
        ...(users === undefined ? {} : { users }),
      });
    await apply(undefined);
    const allocate = async (user: string): Promise<number | undefined> => {
      const client = await TurnClient.connect({ host: HOST, port, ...ephemeralCredentials("s", user, 60) });
      onTestFinished(() => client.close());
      return client.allocate().then(
        () => undefined,
        (error: { code?: number }) => error.code,
      );
    };
    const callers = async (): Promise<readonly string[]> => {
      await relay.refresh();
      return relay
        .state()
        .allocations.map(({ user }) => user)
        .toSorted();
    };
    for (let round = 0; round < 6; round++) for (const user of ["alice", "bob", "carol"]) await allocate(user);
    const each = (user: string): readonly string[] => Array.from({ length: 6 }, () => user);
    expect(await callers()).toEqual([...each("alice"), ...each("bob"), ...each("carol")]);

    const kicked = [{ user: "bob", reason: "" }];
    await apply({ blocked: { alice: { reason: "" } }, kicked });
    expect(await callers()).toEqual(each("carol"));
    expect([await allocate("alice"), await allocate("bob")]).toEqual([403, undefined]);

    // A name that every object has is a user like others.
    await apply({ blocked: { constructor: { reason: "" } }, kicked });
    expect(await callers()).toEqual(["bob", ...each("carol")]);
    expect([await allocate("alice"), await allocate("toString"), await allocate("constructor")]).toEqual([
      undefined,
      undefined,
      403,
    ]);
  });
});
