import { BehaviorSubject } from "rxjs";
import { expect, it } from "vitest";
import type { RelayState } from "../dataplane/relay.ts";
import { drained } from "./relay.ts";

it("is drained when the last allocation has closed, and asks for the state of all of them only then", async () => {
  const open = new BehaviorSubject(1000);
  let states = 0;
  const relay = {
    refresh: () => Promise.resolve(),
    state: () => {
      states++;
      return { allocations: Array.from({ length: open.value }) } as unknown as RelayState;
    },
  };
  let isDrained = false;
  const done = drained(relay, open).then(() => (isDrained = true));
  while (open.value > 1) {
    open.next(open.value - 1);
    await Promise.resolve();
  }
  expect({ isDrained, states }).toEqual({ isDrained: false, states: 0 });
  open.next(0);
  await done;
  expect(states).toBe(1);
});
