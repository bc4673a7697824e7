/** A client that streams numbered packets through the relay to an echo backend and keeps count of what returns. */
import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import { TurnClient, type TurnClientOptions } from "../../src/turn-client/turn-client.ts";
import type { EchoBackend } from "./live.ts";
import { PATIENCE_MS } from "./patience.ts";

export interface Stream {
  readonly client: TurnClient;
  /** IP address of the relay, which sends what comes from here to peers. */
  readonly relay: string;
  readonly sent: number;
  readonly received: ReadonlySet<number>;
  /** Time of the last packet that returned, by `performance.now()`. */
  readonly lastAt: number;
  /** Numbers sent and not returned; waits for those still under way. */
  lost(): Promise<readonly number[]>;
  /** Waits until this many more packets have returned. */
  flows(packets: number): Promise<void>;
  stop(): void;
}

export type StreamOptions = TurnClientOptions & { readonly packetsPerSecond?: number };

const CHANNEL = 0x4001;
const MARK_AT = 4;

/**
 * A stream with so many packets under way sends none until one returns, or for this long: a process that does not get the CPU
 * for what it sends would fill its own sockets, and call that loss.
 */
const WINDOW = 10;
const STALLED_MS = 1_000;

export const startStream = async (
  options: StreamOptions,
  backend: Pick<EchoBackend, "address" | "port">,
): Promise<Stream> => {
  const client = await TurnClient.connect(options);
  let relay: string;
  try {
    const { relayed } = await client.allocate({ family: backend.address.includes(":") ? "ipv6" : "ipv4" });
    relay = relayed[0]?.address ?? "";
    await client.channelBind(CHANNEL, backend);
  } catch (error) {
    // A dataplane that is to end would wait for it.
    await client.refresh(0).catch(() => undefined);
    client.close();
    throw error;
  }
  /** In each packet: what other tests' peers send to a port that was theirs before is not part of this stream. */
  const mark = randomBytes(8);
  const received = new Set<number>();
  const waiters = new Set<{ readonly goal: () => number; readonly resolve: () => void }>();
  let sent = 0;
  let lastAt = 0;
  let sentAt = 0;
  /** So many that did not return no longer count as under way. */
  let givenUp = 0;
  const timer = setInterval(
    () => {
      const now = performance.now();
      if (sent - received.size - givenUp >= WINDOW) {
        if (now - sentAt < STALLED_MS) return;
        givenUp = sent - received.size;
      }
      sentAt = now;
      const payload = Buffer.alloc(160);
      payload.writeUInt32BE(sent, 0);
      mark.copy(payload, MARK_AT);
      sent += 1;
      client.sendChannel(CHANNEL, payload);
    },
    1000 / (options.packetsPerSecond ?? 50),
  );

  void (async () => {
    for (;;) {
      // Rejects once the client is closed.
      const packet = await client.receive(60_000).catch(() => undefined);
      if (packet === undefined) return;
      if (!packet.data.subarray(MARK_AT, MARK_AT + mark.length).equals(mark)) continue;
      received.add(packet.data.readUInt32BE(0));
      lastAt = performance.now();
      for (const waiter of waiters) if (received.size >= waiter.goal()) waiter.resolve();
    }
  })();

  /** Resolves once this many packets have returned. Hundreds of streams wait: none of them may look again and again. */
  const returned = (goal: () => number, patienceMs: number): Promise<boolean> =>
    new Promise((resolve) => {
      if (received.size >= goal()) return resolve(true);
      const settle = (isReached: boolean): void => {
        clearTimeout(timer);
        waiters.delete(waiter);
        resolve(isReached);
      };
      const waiter = { goal, resolve: () => settle(true) };
      const timer = setTimeout(() => settle(false), patienceMs);
      return void waiters.add(waiter);
    });

  const missing = (): readonly number[] => Array.from({ length: sent }, (_, n) => n).filter((n) => !received.has(n));

  const stream: Stream = {
    client,
    relay,
    received,
    get sent() {
      return sent;
    },
    get lastAt() {
      return lastAt;
    },
    async lost() {
      clearInterval(timer);
      // Loopback returns a packet in under a millisecond; on a machine that is busy, this process may stand still for seconds.
      await returned(() => sent, 20_000);
      return missing();
    },
    async flows(packets) {
      const goal = received.size + packets;
      if (!(await returned(() => goal, PATIENCE_MS))) throw new Error(`${received.size} of ${goal} packets returned`);
    },
    stop() {
      clearInterval(timer);
      client.close();
    },
  };
  return stream;
};
