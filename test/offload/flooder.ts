/**
 * Clients in a process of their own: they bind channels to peers again and again, and send on all of them, each packet with
 * the time at which it was sent. The parent tells where, and when to stop.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { TransportAddress } from "../../src/net/address.ts";
import { TurnClient, type TurnClientOptions } from "../../src/turn-client/turn-client.ts";

export interface FloodOptions {
  readonly relay: TurnClientOptions;
  readonly clients: number;
  readonly peers: readonly TransportAddress[];
  readonly bindingsPerSecond: number;
  readonly packetsPerSecond: number;
}

export interface FloodOutcome {
  readonly sent: number;
  readonly bindings: number;
  /** Bindings that were refused: the peer was not admitted. */
  readonly refused: number;
}

export interface Flooder {
  readonly child: ChildProcess;
  stop(): Promise<FloodOutcome>;
}

const FIRST_CHANNEL = 0x4000;
export const PAYLOAD_BYTES = 100;

/** Nanoseconds of the machine's monotonic clock, which all processes share. */
export const nowNs = (): bigint => process.hrtime.bigint();

export const startFlooder = async (options: FloodOptions): Promise<Flooder> => {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(options)], {
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  const ended = once(child, "exit");
  await Promise.race([
    once(child, "message"),
    ended.then(() => {
      throw new Error("the clients' process ended");
    }),
  ]);
  return {
    child,
    async stop() {
      const outcome = once(child, "message");
      child.send("stop");
      const [said] = (await outcome) as [FloodOutcome];
      await ended;
      return said;
    },
  };
};

const flood = async ({ relay, clients: count, peers, bindingsPerSecond, packetsPerSecond }: FloodOptions) => {
  const clients = await Promise.all(Array.from({ length: count }, () => TurnClient.connect(relay)));
  for (const client of clients) await client.allocate();
  const over = new AbortController();
  let sent = 0;
  let bindings = 0;
  let refused = 0;
  const bind = async (client: TurnClient, index: number): Promise<void> => {
    bindings += 1;
    await client.channelBind(FIRST_CHANNEL + index, peers[index]!).catch(() => (refused += 1));
  };
  for (const client of clients) await Promise.all(peers.map((_, index) => bind(client, index)));
  process.send!("ready");
  process.once("message", () => over.abort());

  /** So many a second, in rounds that are short beside it. */
  const paced = async (perSecond: number, one: (n: number) => void): Promise<void> => {
    const began = performance.now();
    for (let n = 0; !over.signal.aborted;) {
      for (const due = ((performance.now() - began) / 1000) * perSecond; n < due && !over.signal.aborted; n += 1)
        one(n);
      await pause(1);
    }
  };
  const clientOf = (n: number): TurnClient => clients[Math.floor(n / peers.length) % clients.length]!;
  await Promise.all([
    paced(bindingsPerSecond, (n) => void bind(clientOf(n), n % peers.length)),
    paced(packetsPerSecond, (n) => {
      const payload = Buffer.alloc(PAYLOAD_BYTES);
      payload.writeBigUInt64BE(nowNs());
      clientOf(n).sendChannel(FIRST_CHANNEL + (n % peers.length), payload);
      sent += 1;
    }),
  ]);
  for (const client of clients) await client.refresh(0).catch(() => undefined);
  for (const client of clients) client.close();
  process.send!({ sent, bindings, refused } satisfies FloodOutcome, () => process.disconnect());
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await flood(JSON.parse(process.argv[2]!) as FloodOptions);
