/**
 * Load on a TURN server: clients that send through the server to echo peers of this process, and count what comes back.
 * Either each client keeps a number of packets in flight, so that the server sets the pace, or they send at a rate.
 */
import { setTimeout as after } from "node:timers/promises";
import type { TransportAddress } from "../net/address.ts";
import { Datagrams } from "../dataplane/engines/index.ts";
import { noDrops } from "../dataplane/flows.ts";
import { Redirections } from "../turn-client/redirections.ts";
import { TurnResponseError } from "../turn-client/turn-client.ts";
import type { ClientOptions, Counters, LoadClient } from "./client.ts";
import { startDtlsClient } from "./dtls-client.ts";
import { Latencies } from "./latencies.ts";
import type { LoadOptions } from "./options.ts";
import { keepPace } from "./pace.ts";
import { startPeers } from "./peers.ts";
import { startStreamClient } from "./stream-client.ts";
import { startUdpClient } from "./udp-client.ts";

export interface RoundTrips {
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
}

export interface LoadResult extends RoundTrips {
  /** Seconds to make all allocations, each with its channel or permission. */
  readonly allocateSeconds: number;
  /** Duration of the measurement. */
  readonly seconds: number;
  readonly sent: number;
  readonly received: number;
  /**
   * CPU time of this process for each second of the measurement: near 1, the load generator was the limit. At a rate it is
   * always 1.
   */
  readonly ownCpu: number;
  /** Packets from clients to peers and back without the server, at the same rate; only UDP at a rate. */
  readonly direct?: RoundTrips;
}

/**
 * Called when all allocations are made, and when the measurement begins and ends: to read the server's CPU time at these
 * moments.
 */
export interface LoadHooks {
  readonly allocated?: () => void;
  readonly begun?: () => void;
  readonly ended?: () => void;
}

/** Number of allocations that are requested, or deleted, concurrently. */
const AT_ONCE = 128;

/** Allocations that are not deleted by then expire at the server. */
const RELEASE_MS = 2000;

/** Permissions last 300 seconds. */
const REFRESH_SECONDS = 200;

const DIRECT_SECONDS = 0.5;

/** A client that has received nothing for this long has lost its packets, and starts anew. */
const STALLED_MS = 200;

/** Refreshes all of `clients` in turn, evenly; `failed` is called with the server's errors. */
const keep = (clients: readonly LoadClient[], failed: (error: unknown) => void): NodeJS.Timeout => {
  const began = performance.now();
  let done = 0;
  return setInterval(() => {
    const due = ((performance.now() - began) / 1000 / REFRESH_SECONDS) * clients.length;
    for (; done < Math.floor(due); done++) clients[done % clients.length]?.refresh?.().catch(failed);
  }, 1000);
};

/** Lets each client that receives nothing send again: its packets are lost. Returns a function that ends it. */
const resumeStalled = (clients: readonly LoadClient[], window: number): (() => void) => {
  const seen = new Map<LoadClient, number>();
  const timer = setInterval(() => {
    for (const client of clients) {
      const received = client.received?.();
      if (received === undefined) continue;
      if (seen.get(client) === received) client.send(window);
      seen.set(client, received);
    }
  }, STALLED_MS);
  return () => clearInterval(timer);
};

/** Deletes all allocations, so that their packets do not reach the next owner of these ports. */
const release = async (clients: readonly LoadClient[]): Promise<void> => {
  let next = 0;
  const inTurn = async (): Promise<void> => {
    while (next < clients.length) await clients[next++]?.release?.().catch(() => undefined);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, inTurn));
};

const roundTrips = (latencies: Latencies): RoundTrips => ({
  p50: latencies.quantile(0.5),
  p99: latencies.quantile(0.99),
});

const startClient = (
  datagrams: Datagrams,
  options: ClientOptions,
  peer: TransportAddress,
  counters: Counters,
): Promise<LoadClient> => {
  const { transport } = options;
  switch (transport) {
    case "udp":
      return startUdpClient(datagrams, options, peer, counters);
    case "tcp":
    case "tls":
      return startStreamClient(options, peer, counters);
    case "dtls":
      return startDtlsClient(options, peer, counters);
    default:
      return transport satisfies never;
  }
};

/** Follows a server that sends its clients to another one. */
const startAnywhere: typeof startClient = async (datagrams, options, peer, counters) => {
  const redirections = new Redirections();
  let { server } = options;
  const { verification } = options;
  const name = verification?.serverName ?? server.address;
  for (;;) {
    try {
      const there = { ...options, server, verification: { ...verification, serverName: name } };
      return await startClient(datagrams, there, peer, counters);
    } catch (error) {
      if (!(error instanceof TurnResponseError) || error.code !== 300) throw error;
      const next = redirections.next(server, error.response.alternateServer);
      if (next === undefined) throw error;
      server = next;
    }
  }
};

/** @throws the server's errors for the allocations; TurnResponseError among others. */
export const runLoad = async (options: LoadOptions, hooks: LoadHooks = {}): Promise<LoadResult> => {
  const { rate, burst, window, transport } = options;
  const isStream = transport === "tcp" || transport === "tls";
  if (isStream && options.warmUpSeconds + options.seconds > REFRESH_SECONDS)
    throw new RangeError(`over TCP a load lasts ${REFRESH_SECONDS} seconds at most: its clients do not refresh`);
  const datagrams = new Datagrams({ drops: noDrops() });
  const clients: LoadClient[] = [];
  const counters: Counters = { sent: 0, received: 0, latencies: new Latencies() };
  const endings: (() => void)[] = [];
  const failing = new AbortController();
  let failure: { readonly error: unknown } | undefined;
  try {
    const peers = startPeers(datagrams, options.peers, options.address, options.gso);
    const began = performance.now();
    let started = 0;
    const startInTurn = async (): Promise<void> => {
      while (started < options.clients) {
        const peer = peers[started++ % peers.length];
        if (peer === undefined) throw new RangeError("a load needs a peer");
        clients.push(await startAnywhere(datagrams, { ...options, ending: failing.signal }, peer, counters));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, startInTurn));
    const allocateSeconds = (performance.now() - began) / 1000;
    hooks.allocated?.();

    const pace = { perSecond: rate * clients.length, burst };
    let direct: RoundTrips | undefined;
    if (rate > 0 && transport === "udp") {
      const stop = keepPace(clients, { ...pace, burst: 1 }, (client) => client.sendDirect?.());
      await after(DIRECT_SECONDS * 1000);
      stop();
      await after(STALLED_MS);
      for (const client of clients) client.endDirect?.();
      direct = roundTrips(counters.latencies);
    }
    if (rate > 0) endings.push(keepPace(clients, pace, (client) => client.send(burst)));
    else {
      for (const client of clients) client.send(window);
      endings.push(resumeStalled(clients, window));
    }
    await after(options.warmUpSeconds * 1000);

    const keeping = keep(clients, (error) => (failure ??= { error }));
    endings.push(() => clearInterval(keeping));
    counters.latencies.reset();
    const before = { ...counters, at: performance.now(), cpu: process.cpuUsage() };
    hooks.begun?.();
    await after(options.seconds * 1000);
    hooks.ended?.();
    if (failure !== undefined) throw failure.error;
    const seconds = (performance.now() - before.at) / 1000;
    const { user, system } = process.cpuUsage(before.cpu);
    return {
      allocateSeconds,
      seconds,
      sent: counters.sent - before.sent,
      received: counters.received - before.received,
      ownCpu: (user + system) / 1e6 / seconds,
      ...roundTrips(counters.latencies),
      ...(direct === undefined ? {} : { direct }),
    };
  } catch (error) {
    failing.abort(error);
    throw error;
  } finally {
    for (const end of endings) end();
    await Promise.race([release(clients), after(RELEASE_MS, undefined, { ref: false })]);
    for (const client of clients) client.close();
    datagrams.close();
  }
};
