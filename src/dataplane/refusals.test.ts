import { expect, it } from "vitest";
import { Refusals, type PeerRefused } from "./refusals.ts";

it("tells of each refusal once a second and of fifty at most, and counts the rest", () => {
  const told: PeerRefused[] = [];
  const refusals = new Refusals((event) => told.push(event));
  const add = (peer: string, now: number): void =>
    refusals.add({ gateway: "g", listener: "l", client: "c", user: "u", peer, reason: "r" }, now);
  for (let count = 0; count < 10; count++) add("10.0.0.1", 1000 + count);
  expect(told).toHaveLength(1);
  add("10.0.0.1", 2000);
  expect(told[1]).toMatchObject({ suppressed: 9 });
  for (let count = 0; count < 200; count++) add(`10.0.1.${count}`, 3000);
  expect(told).toHaveLength(52);
  add("10.0.0.1", 4000);
  expect(told.at(-1)).toMatchObject({ suppressed: 150 });
});
