/** Keeps a source subscribed: subscribes again, with growing pauses, when it fails. */
import { messageOf } from "../errors.ts";
import { defer, retry, tap, timer, type Observable } from "rxjs";
import { backoffMs, type Backoff } from "../retry.ts";

export interface Followed<T> {
  /** Called for each attempt. */
  readonly start: () => Observable<T>;
  readonly onNext: (value: T) => void;
  /** Called for the first of consecutive failures. */
  readonly onFailure: (reason: string) => void;
  /** Called with the first value after failures. */
  readonly onRestored: () => void;
}

const BACKOFF: Backoff = { firstMs: 250, longestMs: 30_000 };

/** Follows a source until the returned function is called. */
export const follow = <T>({ start, onNext, onFailure, onRestored }: Followed<T>): (() => void) => {
  let failures = 0;
  const subscription = defer(start)
    .pipe(
      tap((value) => {
        if (failures > 0) {
          failures = 0;
          onRestored();
        }
        onNext(value);
      }),
      retry({
        delay: (error: unknown) => {
          failures += 1;
          if (failures === 1) onFailure(messageOf(error));
          return timer(backoffMs(BACKOFF, failures));
        },
      }),
    )
    .subscribe();
  return () => subscription.unsubscribe();
};
