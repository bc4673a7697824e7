/**
 * The actors that own I/O: each is an Observable, run by an XState machine that starts it again, with growing pauses,
 * when it fails. What it says goes straight to `onNext`; the machine only minds whether it lives.
 */
import { createActor, fromObservable, setup } from "xstate";
import { tap, type Observable } from "rxjs";

export interface Service<T> {
  readonly name: string;
  /** Called for each start. */
  readonly start: () => Observable<T>;
  readonly onNext: (value: T) => void;
  readonly onFailure: (reason: string) => void;
  readonly onRestored: () => void;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;

/** Runs `service` until the function returned is called. */
export const runService = <T>(service: Service<T>): (() => void) => {
  let failures = 0;

  const machine = setup({
    actors: {
      source: fromObservable(() =>
        service.start().pipe(
          tap((value) => {
            if (failures > 0) {
              failures = 0;
              service.onRestored();
            }
            service.onNext(value);
          }),
        ),
      ),
    },
    delays: { pause: () => Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS) },
  }).createMachine({
    id: service.name,
    initial: "running",
    states: {
      running: {
        invoke: {
          src: "source",
          onDone: "ended",
          onError: {
            target: "waiting",
            actions: ({ event: { error } }) => {
              failures += 1;
              if (failures === 1) service.onFailure(error instanceof Error ? error.message : String(error));
            },
          },
        },
      },
      waiting: { after: { pause: "running" } },
      ended: { type: "final" },
    },
  });

  const actor = createActor(machine);
  actor.start();
  return () => void actor.stop();
};
