import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { GatewayChange } from "../core/fold.ts";
import type { ApplyReport, Relay } from "../dataplane/relay.ts";
import type { Fact } from "../journal/fact.ts";
import { createVault } from "../journal/vault.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import type { Name } from "../resources/keys.ts";
import { createPublisher, type Publisher } from "./publish.ts";

interface Applied {
  /** Endpoints of the config; nothing for a removal. */
  readonly endpoints: readonly string[] | undefined;
  succeed(): void;
  /** `refused`: the apply rejects; `unbound`: a listener failed. */
  fail(how: "refused" | "unbound"): void;
}

const gateway = "default/gw" as Name;
const report: ApplyReport = { admission: [], listeners: [] };

const change = (endpoints: readonly string[] | undefined, of = gateway): GatewayChange => {
  const config: DataplaneConfig = {
    version: "v1",
    admin: { name: of },
    auth: { type: "static", realm: "r", credentials: {} },
    listeners: [],
    clusters: [{ name: "c", type: "STATIC", protocol: "UDP", endpoints: endpoints ?? [] }],
  };
  return {
    gateway: of,
    cause: 1,
    config: endpoints && config,
    draining: {},
    admission: { from: 0, to: 1, transitions: [] },
  };
};

describe("the publisher", () => {
  let applied: Applied[];
  let publisher: Publisher;
  let reported: Fact[];

  beforeEach(() => {
    vi.useFakeTimers();
    applied = [];
    reported = [];
    const pending = <T>(endpoints: readonly string[] | undefined, success: T, unbound: T): Promise<T> =>
      new Promise((resolve, reject) => {
        applied.push({
          endpoints,
          succeed: () => resolve(success),
          fail: (how) => (how === "refused" ? reject(new Error("no")) : resolve(unbound)),
        });
      });
    const relay: Partial<Relay> = {
      apply: (config) =>
        pending(config.clusters?.[0]?.endpoints, report, {
          ...report,
          listeners: [{ listener: "default/gw/udp", change: "failed", at: [], reason: "in use" }],
        }),
      remove: () => pending(undefined, 0, 0),
    };
    publisher = createPublisher({
      relay: relay as Relay,
      vault: createVault(),
      address: "127.0.0.1",
      report: (happenings) => void reported.push(...happenings.map(({ fact }) => fact)),
    });
  });
  afterEach(() => {
    publisher.close();
    vi.useRealTimers();
  });

  /** What was asked of the relay so far, all pauses between tries over. */
  const asked = async (): Promise<readonly (readonly string[] | undefined)[]> => {
    await vi.advanceTimersByTimeAsync(600_000);
    return applied.map(({ endpoints }) => endpoints);
  };

  it.each(["refused", "unbound"] as const)(
    "tries a change again that fails (%s), with a growing pause",
    async (how) => {
      publisher.publish([change(["10.0.0.1"])]);
      applied[0]!.fail(how);
      await vi.advanceTimersByTimeAsync(1000);
      applied[1]!.fail(how);
      // Between half of the pause and the whole of it.
      await vi.advanceTimersByTimeAsync(999);
      expect(applied).toHaveLength(2);
      await vi.advanceTimersByTimeAsync(1001);
      applied[2]!.succeed();
      expect(await asked()).toHaveLength(3);
    },
  );

  it.each(["refused", "unbound"] as const)(
    "does not try an older change again that fails (%s) once a newer one is active: it would admit what was revoked",
    async (how) => {
      publisher.publish([change(["10.0.0.1", "10.0.0.2"])]);
      publisher.publish([change(["10.0.0.1"])]);
      applied[1]!.succeed();
      await vi.advanceTimersByTimeAsync(0);
      applied[0]!.fail(how);
      expect(await asked()).toEqual([["10.0.0.1", "10.0.0.2"], ["10.0.0.1"]]);
    },
  );

  it("does not apply a config with a certificate that the vault does not have, and says so", async () => {
    const { config, ...rest } = change(["10.0.0.1"]);
    const listeners = [{ name: "default/gw/tls", protocol: "TURN-TLS", address: "::", port: 1, cert: "vault:gone" }];
    publisher.publish([{ ...rest, config: { ...config, listeners } as DataplaneConfig }]);
    expect(await asked()).toEqual([]);
    expect(reported).toEqual([
      {
        type: "effect.failed",
        data: {
          effect: "publish",
          target: gateway,
          reason: "the certificate of listener default/gw/tls is no longer in memory",
        },
      },
    ]);
  });

  it("does not apply a config again that fails after its gateway was removed", async () => {
    publisher.publish([change(["10.0.0.1"])]);
    publisher.publish([change(undefined)]);
    applied[1]!.succeed();
    applied[0]!.fail("refused");
    expect(await asked()).toEqual([["10.0.0.1"], undefined]);
  });

  it("still tries the newer change again when the older one ends after it, well or not", async () => {
    for (const end of ["succeed", "fail"] as const) {
      applied.length = 0;
      publisher.publish([change(["10.0.0.1", "10.0.0.2"])]);
      publisher.publish([change(["10.0.0.1"])]);
      applied[1]!.fail("refused");
      await vi.advanceTimersByTimeAsync(0);
      applied[0]![end]("refused");
      expect((await asked()).slice(2)).toEqual([["10.0.0.1"]]);
      applied[2]!.succeed();
    }
  });

  it("keeps tries of gateways apart, and makes none once it is closed", async () => {
    publisher.publish([change(["10.0.0.1"]), change(["10.0.0.9"], "default/other" as Name)]);
    applied[0]!.fail("refused");
    applied[1]!.succeed();
    expect((await asked()).slice(2)).toEqual([["10.0.0.1"]]);
    publisher.close();
    applied[2]!.fail("refused");
    expect(await asked()).toHaveLength(3);
  });
});
