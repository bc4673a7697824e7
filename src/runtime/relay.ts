/** A relay that does what the core says: what a fold has changed goes in, what comes of it returns as facts. */
import type { Logger } from "pino";
import { filter, firstValueFrom } from "rxjs";
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
  /** Lets go of the core; what is then left in the relay is closed. */
  close(): Promise<void>;
}

export interface AttachOptions {
  readonly loop: Loop;
  readonly vault: Vault;
  readonly relay: Omit<RelayOptions, "log">;
  /** What `$STUNNER_ADDR` stands for in configs that are rendered here. */
  readonly address: string;
  readonly log: Logger;
}

const factOf = ({ event, ...data }: RelayEvent): Fact => ({ type: event, data }) as Fact;

export const attachRelay = ({ loop, vault, address, log, ...options }: AttachOptions): AttachedRelay => {
  const relay = createRelay({ ...options.relay, log });
  const report = (happenings: readonly Happening[]): void => void loop.take(happenings);
  const publisher = createPublisher({ relay, vault, address, report });
  loop.onFold(({ changes }) => publisher.publish(changes));
  const events = relay.events.subscribe((event) => {
    if (event.event === "peer.refused") {
      const { event: _, ...refused } = event;
      log.info(refused, "peer refused");
    }
    report([{ fact: factOf(event), source: "relay", cause: null }]);
  });

  return {
    relay,
    publisher,
    async drained() {
      for (;;) {
        const closed = firstValueFrom(relay.events.pipe(filter(({ event }) => event === "allocation.closed")), {
          defaultValue: undefined,
        });
        await relay.refresh();
        if (relay.state().allocations.length === 0) return;
        await closed;
      }
    },
    async close() {
      publisher.close();
      events.unsubscribe();
      await relay.close();
    },
  };
};
