import { expect, it } from "vitest";
import { MAX_NUMBER, TICKET_BYTES, Tickets } from "./tickets.ts";

const tickets = new Tickets();

it("reads the tickets that it issued: text of at most 32 characters, each different", () => {
  const named = [
    { allocation: 1, number: 1 },
    { allocation: 1, number: 2 },
    { allocation: 2, number: 1 },
    { allocation: 2 ** 40 - 1, number: MAX_NUMBER },
  ];
  const issued = named.map((one) => tickets.issue(one));
  expect(issued.map((ticket) => tickets.read(ticket))).toEqual(named);
  for (const ticket of issued) expect(ticket.toString("latin1")).toMatch(/^[\w-]{22}$/);
  expect(new Set(issued.map(String)).size).toBe(named.length);
});

it("reads no other: none that was changed, shortened, lengthened, or issued elsewhere", () => {
  const ticket = tickets.issue({ allocation: 1, number: 1 });
  for (let at = 0; at < ticket.length; at += 1)
    for (let bit = 1; bit < 256; bit <<= 1) {
      const changed = Buffer.from(ticket);
      changed[at]! ^= bit;
      expect(tickets.read(changed)).toBeUndefined();
    }
  for (const length of [0, 1, 16, TICKET_BYTES - 1, TICKET_BYTES + 1, TICKET_BYTES + 2, 700])
    expect(tickets.read(Buffer.concat([ticket, Buffer.alloc(700, 0x41)]).subarray(0, length))).toBeUndefined();
  expect(new Tickets().read(ticket)).toBeUndefined();
});
