/**
 * Makes the relay follow the core: applies or removes a config for each gateway. The results return as facts. Gateways do
 * not wait for each other.
 */
import { messageOf } from "../errors.ts";
import { backoffMs, type Backoff } from "../retry.ts";
import type { GatewayChange } from "../core/fold.ts";
import type { ApplyReport, Relay } from "../dataplane/relay.ts";
import type { Happening } from "../journal/fact.ts";
import type { Vault } from "../journal/vault.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import type { Name } from "../resources/keys.ts";
import { ADDRESS_PLACEHOLDER } from "../resources/names.ts";

export interface Publisher {
  publish(changes: readonly GatewayChange[]): void;
  /** Resolves once nothing is in flight. */
  idle(): Promise<void>;
  /** Drops pending retries. */
  close(): void;
}

export interface PublisherOptions {
  readonly relay: Relay;
  readonly vault: Vault;
  /** The value of `$STUNNER_ADDR` in this process. */
  readonly address: string;
  readonly report: (happenings: readonly Happening[]) => void;
}

const SOURCE = "relay";
const BACKOFF: Backoff = { firstMs: 1000, longestMs: 30_000 };

const withAddress = (config: DataplaneConfig, address: string): DataplaneConfig => ({
  ...config,
  ...(config.listeners === undefined
    ? {}
    : {
        listeners: config.listeners.map((listener) =>
          listener.address === ADDRESS_PLACEHOLDER ? { ...listener, address } : listener,
        ),
      }),
});

/** The result of an apply, as facts with `cause`. */
export const factsOf = (gateway: Name, report: ApplyReport, cause: number): readonly Happening[] => {
  const count = (change: string): number => report.admission.filter((one) => one.change === change).length;
  const happening = (fact: Happening["fact"], by = cause): Happening => ({ fact, source: SOURCE, cause: by });
  const happenings: Happening[] = [];

  for (const { change, cluster, endpoint, permissions = 0, channels = 0, connections, ...why } of report.admission)
    if (change === "revoke")
      happenings.push(
        happening(
          {
            type: "endpoint.revoked",
            data: {
              gateway,
              cluster,
              endpoint,
              permissions,
              channels,
              ...(connections === undefined ? {} : { connections }),
              ...(why.because === undefined ? {} : { because: why.because }),
            },
          },
          why.cause,
        ),
      );

  for (const { listener, change, at, reason } of report.listeners) {
    if (change === "started" || change === "restarted")
      happenings.push(happening({ type: "listener.bound", data: { gateway, listener, at } }));
    else if (change === "stopped")
      happenings.push(happening({ type: "listener.closed", data: { gateway, listener, at } }));
    else if (change === "failed")
      happenings.push(happening({ type: "listener.failed", data: { gateway, listener, reason: reason ?? "unknown" } }));
    if (change !== "failed" && reason !== undefined)
      happenings.push(happening({ type: "effect.failed", data: { effect: "update", target: listener, reason } }));
  }
  happenings.push(
    happening({
      type: "gateway.published",
      data: { gateway, admitted: count("admit"), drained: count("drain"), revoked: count("revoke") },
    }),
  );
  return happenings;
};

export const createPublisher = ({ relay, vault, address, report }: PublisherOptions): Publisher => {
  const inFlight = new Set<Promise<void>>();
  /**
   * The last change of each gateway that did not succeed yet. Only this one may be retried: an older one could restore what
   * was revoked.
   */
  const latest = new Map<Name, GatewayChange>();
  const retries = new Map<Name, NodeJS.Timeout>();

  /** @param failures number of previous failures of this change. */
  const settle = (change: GatewayChange, ok: boolean, failures: number): void => {
    const { gateway } = change;
    if (latest.get(gateway) !== change) return;
    if (ok) {
      latest.delete(gateway);
      return;
    }
    const again = (): void => run(change, failures + 1);
    retries.set(gateway, setTimeout(again, backoffMs(BACKOFF, failures + 1)).unref());
  };

  const apply = async (change: GatewayChange, failures: number): Promise<void> => {
    const { gateway, config, draining, admission, cause } = change;
    try {
      if (config === undefined) {
        const allocations = await relay.remove(gateway);
        settle(change, true, 0);
        report([{ fact: { type: "gateway.removed", data: { gateway, allocations } }, source: SOURCE, cause }]);
        return;
      }
      const byCluster = new Map(Object.entries(draining).map(([cluster, names]) => [cluster, new Set(names)]));
      const done = await relay.apply(withAddress(vault.reveal(config), address), {
        draining: byCluster,
        admission,
      });
      settle(change, !done.listeners.some((listener) => listener.change === "failed"), failures);
      // A repetition that changed nothing is not logged.
      if (failures === 0 || done.listeners.some((listener) => listener.change !== "failed"))
        report(factsOf(gateway, done, cause));
    } catch (error) {
      settle(change, false, failures);
      const reason = vault.scrub(messageOf(error));
      if (failures === 0)
        report([
          {
            fact: { type: "effect.failed", data: { effect: "publish", target: gateway, reason } },
            source: SOURCE,
            cause,
          },
        ]);
    }
  };

  const run = (change: GatewayChange, failures: number): void => {
    const running: Promise<void> = apply(change, failures).finally(() => inFlight.delete(running));
    inFlight.add(running);
  };

  return {
    publish(changes) {
      for (const change of changes) {
        // Everything that waits for a retry, or fails only now, is out of date.
        clearTimeout(retries.get(change.gateway));
        latest.set(change.gateway, change);
        // The relay drops what is revoked before its first await, so nothing may run between the fold and this call.
        run(change, 0);
      }
    },
    async idle() {
      while (inFlight.size > 0) await Promise.all(inFlight);
    },
    close() {
      for (const timer of retries.values()) clearTimeout(timer);
      latest.clear();
    },
  };
};
