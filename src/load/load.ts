/**
 * Load on a TURN server: clients that send to echo peers of this process, through the server, and count what comes back.
 * Either each keeps a number of packets under way, so that the server sets the pace, or they send at a rate.
 */
import { setTimeout as after } from "node:timers/promises";
import { Datagrams } from "../dataplane/engines/index.ts";
import { noDrops } from "../dataplane/flows.ts";
import type { Counters, LoadClient } from "./client.ts";
import { Latencies } from "./latencies.ts";
import type { LoadOptions } from "./options.ts";
import { startPeers } from "./peers.ts";
import { startTcpClient } from "./tcp-client.ts";
import { startUdpClient } from "./udp-client.ts";

export interface LoadResult {
  /** Seconds that it took to make all allocations, each with its channel or permission. */
  readonly allocateSeconds: number;
  /** What was measured over. */
  readonly seconds: number;
  readonly sent: number;
  readonly received: number;
  /** Round trips, in microseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Called as measuring begins and ends, to look at the server's CPU time at the same moments. */
export interface LoadHooks {
  readonly begun?: () => void;
  readonly ended?: () => void;
}

const TICK_MS = 2;
/** Allocations that are asked for at once. */
const STARTING = 128;

/** Permissions last 300 seconds. */
const REFRESH_SECONDS = 200;

/** Refreshes all of `clients` in turn, evenly; `failed` is told what the server refuses. */
const keep = (clients: readonly LoadClient[], failed: (error: unknown) => void): NodeJS.Timeout => {
  const began = performance.now();
  let done = 0;
  return setInterval(() => {
    const due = ((performance.now() - began) / 1000 / REFRESH_SECONDS) * clients.length;
    for (; done < Math.floor(due); done++) clients[done % clients.length]?.refresh?.().catch(failed);
  }, 1000);
};

const sendAtRate = (clients: readonly LoadClient[], rate: number): NodeJS.Timeout => {
  const began = performance.now();
  let sent = 0;
  return setInterval(() => {
    // All clients in turn, evenly over the second.
    const due = ((performance.now() - began) / 1000) * rate * clients.length;
    for (; sent < due; sent++) clients[sent % clients.length]?.send();
  }, TICK_MS);
};

/** @throws what the server answers to the allocations; TurnResponseError among others. */
export const runLoad = async (options: LoadOptions, hooks: LoadHooks = {}): Promise<LoadResult> => {
  const datagrams = new Datagrams({ drops: noDrops() });
  const clients: LoadClient[] = [];
  const counters: Counters = { sent: 0, received: 0, latencies: new Latencies() };
  let ticking: NodeJS.Timeout | undefined;
  let keeping: NodeJS.Timeout | undefined;
  let failure: { readonly error: unknown } | undefined;
  if (options.transport === "tcp" && options.warmUpSeconds + options.seconds > REFRESH_SECONDS)
    throw new RangeError(`over TCP a load lasts ${REFRESH_SECONDS} seconds at most: its clients do not refresh`);
  try {
    const peers = startPeers(datagrams, options.peers, options.address);
    const start = (index: number): Promise<LoadClient> => {
      const peer = peers[index % peers.length];
      if (peer === undefined) throw new RangeError("a load needs a peer");
      return options.transport === "udp"
        ? startUdpClient(datagrams, options, peer, counters)
        : startTcpClient(options, peer, counters);
    };
    const began = performance.now();
    let started = 0;
    const startInTurn = async (): Promise<void> => {
      while (started < options.clients) clients.push(await start(started++));
    };
    await Promise.all(Array.from({ length: STARTING }, startInTurn));
    const allocateSeconds = (performance.now() - began) / 1000;
    if (options.rate > 0) ticking = sendAtRate(clients, options.rate);
    else for (const client of clients) for (let sent = 0; sent < options.window; sent++) client.send();
    await after(options.warmUpSeconds * 1000);

    keeping = keep(clients, (error) => (failure ??= { error }));
    counters.latencies.reset();
    const before = { ...counters, at: performance.now() };
    hooks.begun?.();
    await after(options.seconds * 1000);
    hooks.ended?.();
    if (failure !== undefined) throw failure.error;
    return {
      allocateSeconds,
      seconds: (performance.now() - before.at) / 1000,
      sent: counters.sent - before.sent,
      received: counters.received - before.received,
      p50: counters.latencies.quantile(0.5),
      p99: counters.latencies.quantile(0.99),
    };
  } finally {
    clearInterval(ticking);
    clearInterval(keeping);
    for (const client of clients) client.close();
    datagrams.close();
  }
};
