/** An allocation that is kept open while it is needed. */
import type { TransportAddress } from "../net/address.ts";
import { TurnClient, TurnResponseError, type TurnClientOptions } from "../turn-client/turn-client.ts";
import { messageOf } from "../errors.ts";

/** Well within the five minutes of a permission, so that more than one request may be lost (RFC 8656 §9). */
const PERMISSION_MS = 120_000;
/** After a request without an answer. */
const RETRY_MS = 5000;
const MOST_FAILURES = 3;

export interface AllocationOptions {
  readonly server: TurnClientOptions;
  readonly family: "ipv4" | "ipv6";
  readonly peers: "udp" | "tcp";
  /** Called once, unless this side closes it. */
  readonly onLost: (reason: string) => void;
}

export class KeptAllocation {
  readonly client: TurnClient;
  readonly relayed: TransportAddress | undefined;
  readonly #onLost: (reason: string) => void;
  readonly #timers = new Set<NodeJS.Timeout>();
  #isOver = false;

  private constructor(client: TurnClient, relayed: TransportAddress | undefined, onLost: (reason: string) => void) {
    this.client = client;
    this.relayed = relayed;
    this.#onLost = onLost;
  }

  /** @throws TurnResponseError; the error of connecting. */
  static async open({ server, family, peers, onLost }: AllocationOptions): Promise<KeptAllocation> {
    // Until there is an allocation, the caller gets the error.
    let lost: (reason: string) => void = () => undefined;
    const client = await TurnClient.connect({ ...server, onClosed: (reason) => lost(reason) });
    try {
      // Servers make an IPv4 allocation by default; some reject the attribute (RFC 8656 §7.1).
      const { relayed, lifetime } = await client.allocate({ peers, ...(family === "ipv6" ? { family } : {}) });
      const allocation = new KeptAllocation(client, relayed[0], onLost);
      lost = (reason) => allocation.#lose(reason);
      allocation.keep((lifetime * 1000) / 2, () => client.refresh());
      return allocation;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** Runs `work` once and then repeatedly: what it requests would expire otherwise. @throws the error of the first run. */
  async hold(work: () => Promise<unknown>): Promise<void> {
    await work();
    this.keep(PERMISSION_MS, work);
  }

  /**
   * Runs `work` every `intervalMs`. A server that rejects it, or does not answer several times, has lost the allocation.
   */
  keep(intervalMs: number, work: () => Promise<unknown>): void {
    let failures = 0;
    const again = (ms: number): void => {
      if (this.#isOver) return;
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        work().then(
          () => {
            failures = 0;
            again(intervalMs);
          },
          (error: unknown) => {
            failures += 1;
            if (error instanceof TurnResponseError || failures === MOST_FAILURES) this.#lose(messageOf(error));
            else again(RETRY_MS);
          },
        );
      }, ms);
      this.#timers.add(timer);
    };
    again(intervalMs);
  }

  /** Deletes the allocation; waits only briefly for a server that does not answer. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#end();
    const late = setTimeout(() => this.client.close(), 500);
    await this.client.refresh(0).catch(() => undefined);
    clearTimeout(late);
    this.client.close();
  }

  #lose(reason: string): void {
    if (this.#isOver) return;
    this.#end();
    this.client.close();
    this.#onLost(reason);
  }

  #end(): void {
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
