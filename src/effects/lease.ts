/**
 * Leader election by a Lease, as in client-go: the holder renews it; a candidate takes it once it has not been renewed for
 * its duration. Times are from this process's clock: the clocks of other processes are not trusted.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { orAbsent, type Api } from "../kubernetes/api.ts";
import { messageOf } from "../errors.ts";

export interface LeaseOptions {
  readonly namespace: string;
  readonly name: string;
  readonly holder: string;
  /** Without renewal for this long the lease is free, in seconds. */
  readonly durationSeconds?: number;
  /** A holder that could not renew for this long steps down, in ms. */
  readonly renewDeadlineMs?: number;
  readonly retryMs?: number;
  readonly onAcquired: () => void;
  readonly onLost: (reason: string) => void;
}

export interface Lease {
  readonly isHeld: boolean;
  /** Stops, and releases the lease if it is held, so that the next leader need not wait. */
  release(): Promise<void>;
}

interface LeaseObject {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

const microTime = (): string => `${new Date().toISOString().slice(0, -1)}000Z`;

const NOT_RENEWED = "the lease could not be renewed";

export const holdLease = (api: Api, options: LeaseOptions): Lease => {
  const {
    namespace,
    name,
    holder,
    durationSeconds = 15,
    renewDeadlineMs = 10_000,
    retryMs = 2000,
    onAcquired,
    onLost,
  } = options;
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
  const path = `${collection}/${name}`;
  const stopping = new AbortController();
  let isHeld = false;
  /** The lease names us, as far as we know: we must release it. */
  let isOurs = false;
  let expired = NOT_RENEWED;
  let deadline: NodeJS.Timeout | undefined;
  /** The last state of another holder's lease, and when it was first seen. */
  let observed: { readonly version: string | undefined; readonly at: number } | undefined;

  const write = async (present: LeaseObject | undefined, held: boolean): Promise<void> => {
    const spec = present?.spec;
    const takesOver = spec?.holderIdentity !== holder;
    const body = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      // Keeps labels and annotations: the creator of the Lease may identify it by them.
      metadata: { ...present?.metadata, name, namespace },
      spec: {
        holderIdentity: held ? holder : "",
        leaseDurationSeconds: held ? durationSeconds : 1,
        acquireTime: takesOver ? microTime() : spec?.acquireTime,
        renewTime: microTime(),
        leaseTransitions: (spec?.leaseTransitions ?? 0) + (takesOver && present !== undefined ? 1 : 0),
      },
    };
    const timeoutMs = renewDeadlineMs / 2;
    // With the resource version, only one of two simultaneous attempts succeeds.
    if (present === undefined) await api.json({ method: "POST", path: collection, body, timeoutMs });
    else await api.json({ method: "PUT", path, body, timeoutMs });
  };

  const read = (): Promise<LeaseObject | undefined> =>
    api.json<LeaseObject>({ path, timeoutMs: renewDeadlineMs / 2 }).catch(orAbsent);

  const isFree = (present: LeaseObject | undefined): boolean => {
    const by = present?.spec?.holderIdentity;
    if (present === undefined || by === holder || by === "" || by === null || by === undefined) return true;
    const version = present.metadata?.resourceVersion;
    const now = performance.now();
    if (observed === undefined || observed.version !== version) observed = { version, at: now };
    return now - observed.at > (present.spec?.leaseDurationSeconds ?? durationSeconds) * 1000;
  };

  const lose = (reason: string): void => {
    if (!isHeld) return;
    isHeld = false;
    clearTimeout(deadline);
    // A leader that releases the lease reports nothing more.
    if (!stopping.signal.aborted) onLost(reason);
  };

  /** Measured from before the request: other candidates measure from when it was granted, which was later. */
  const renewed = (askedAt: number): void => {
    clearTimeout(deadline);
    const left = askedAt + renewDeadlineMs - performance.now();
    if (left <= 0) {
      lose(expired);
      return;
    }
    // Not left to the next attempt, which may hang.
    deadline = setTimeout(() => lose(expired), left).unref();
    if (isHeld) return;
    isHeld = true;
    onAcquired();
  };

  const attempt = async (): Promise<void> => {
    try {
      const present = await read();
      if (!isFree(present)) {
        isOurs = false;
        lose(`${present?.spec?.holderIdentity ?? "another"} holds the lease`);
        return;
      }
      const askedAt = performance.now();
      await write(present, true);
      isOurs = true;
      expired = NOT_RENEWED;
      if (!stopping.signal.aborted) renewed(askedAt);
    } catch (error) {
      // A process that held it may still be able to renew it in time.
      expired = `${NOT_RENEWED}: ${messageOf(error)}`;
    }
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await attempt();
      await sleep(retryMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const running = run();

  return {
    get isHeld() {
      return isHeld;
    },
    async release() {
      stopping.abort();
      await running;
      clearTimeout(deadline);
      isHeld = false;
      if (!isOurs) return;
      const present = await read().catch(() => undefined);
      if (present?.spec?.holderIdentity === holder) await write(present, false).catch(() => undefined);
    },
  };
};
