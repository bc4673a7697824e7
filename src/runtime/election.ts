/** Leadership: the holder of the lease, or this process at once if there is no election. */
import { hostname } from "node:os";
import { holdLease, type Lease, type LeaseOptions } from "../effects/lease.ts";
import type { Fact } from "../journal/fact.ts";
import type { Api } from "../kubernetes/api.ts";

export interface ElectionOptions {
  readonly api: Api;
  /** Absent: this process leads as soon as it is ready. */
  readonly lease?: (Omit<LeaseOptions, "holder" | "onAcquired" | "onLost"> & { readonly holder?: string }) | undefined;
  readonly tell: (fact: Fact, source: string) => void;
}

export interface Election {
  /** Starts to compete for the lease. */
  stand(): void;
  /** Gives up leadership. Resolves once the lease is released, if it was held. */
  withdraw(): Promise<void>;
}

export const createElection = ({ api, lease: options, tell }: ElectionOptions): Election => {
  let lease: Lease | undefined;
  return {
    stand() {
      const holder = options?.holder ?? `${hostname()}_${process.pid}`;
      const acquired = (source: string): void => tell({ type: "lease.acquired", data: { holder } }, source);
      if (options === undefined) {
        acquired("operator");
        return;
      }
      lease = holdLease(api, {
        ...options,
        holder,
        onAcquired: () => acquired("lease"),
        onLost: (reason) => tell({ type: "lease.lost", data: { reason } }, "lease"),
      });
    },
    async withdraw() {
      const held = lease;
      lease = undefined;
      await held?.release();
    },
  };
};
