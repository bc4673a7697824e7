/** Connects a relay to the core: changes of a fold go to the relay, and its results return as facts. */
import type { Logger } from "pino";
import { BehaviorSubject, filter, firstValueFrom } from "rxjs";
import { createRelay } from "../dataplane/create-relay.ts";
import type { Relay, RelayEvent, RelayOptions } from "../dataplane/relay.ts";
import { createPublisher, type Publisher } from "../effects/publish.ts";
import type { Fact, Happening } from "../journal/fact.ts";
import type { Vault } from "../journal/vault.ts";
import type { Loop } from "./loop.ts";

export interface AttachedRelay {
  readonly relay: Relay;
  readonly publisher: Publisher;
  /** Resolves when no allocation is open. */
  drained(): Promise<void>;
  /** Disconnects from the core; what is left in the relay is closed. */
  close(): Promise<void>;
}

export interface AttachOptions {
  readonly loop: Loop;
  readonly vault: Vault;
  readonly relay: Omit<RelayOptions, "log">;
  /** The value of `$STUNNER_ADDR` in configs that are rendered here. */
  readonly address: string;
  readonly log: Logger;
}

/** Resolves once the relay has no allocations; `open` counts those that its events have reported. */
export const drained = async (
  relay: Pick<Relay, "state" | "refresh">,
  open: BehaviorSubject<number>,
): Promise<void> => {
  do {
    // By then its threads have reported what they opened.
    await relay.refresh();
    await firstValueFrom(open.pipe(filter((count) => count === 0)), { defaultValue: 0 });
    // The state of all allocations is expensive with thousands of them: it is requested only now.
    await relay.refresh();
  } while (relay.state().allocations.length > 0);
};

const factOf = ({ event, ...data }: RelayEvent): Fact => ({ type: event, data }) as Fact;

export const attachRelay = ({ loop, vault, address, log, ...options }: AttachOptions): AttachedRelay => {
  const relay = createRelay({ ...options.relay, log });
  const report = (happenings: readonly Happening[]): void => void loop.take(happenings);
  const publisher = createPublisher({ relay, vault, address, report });
  loop.onFold(({ changes }) => publisher.publish(changes));
  const open = new BehaviorSubject(0);
  const events = relay.events.subscribe((event) => {
    if (event.event === "allocation.opened") open.next(open.value + 1);
    else if (event.event === "allocation.closed") open.next(open.value - 1);
    if (event.event === "peer.refused") {
      const { event: _, ...refused } = event;
      log.info(refused, "peer refused");
    }
    report([{ fact: factOf(event), source: "relay", cause: null }]);
  });

  return {
    relay,
    publisher,
    drained: () => drained(relay, open),
    async close() {
      publisher.close();
      events.unsubscribe();
      open.complete();
      await relay.close();
    },
  };
};
