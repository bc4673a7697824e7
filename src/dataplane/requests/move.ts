/** Refresh with a mobility ticket, RFC 8016 §3.2.2: the client wants to use its allocation from another five-tuple. */
import type { Allocation, Mobility } from "../allocation.ts";
import { MAX_NUMBER, type Tickets } from "../tickets.ts";
import { attribute } from "../../stun/attributes.ts";
import { method, type Attribute, type Message } from "../../stun/message.ts";
import type { RefusalCode } from "../../reasons.ts";
import { fiveTuple } from "../listeners/listener.ts";
import { failure, success, type Answer, type Exchange, type RequestContext } from "./exchange.ts";
import { refresh } from "./refresh.ts";

export const isMove = (message: Message): boolean =>
  message.method === method.refresh && message.mobilityTicket !== undefined;

interface Ticketed {
  readonly allocation: Allocation;
  /** Number of the ticket. */
  readonly number: number;
}

/** The allocation that the ticket of `message` names, of this gateway; or what is wrong with the ticket. */
const ticketed = ({ mobilityTicket }: Message, { relay, gateway }: RequestContext): Ticketed | RefusalCode => {
  const { tickets, allocations } = relay;
  if (tickets === undefined) return "405 mobility-off";
  if (mobilityTicket === undefined || mobilityTicket.length === 0) return "400 mobility-ticket";
  const ticket = tickets.read(mobilityTicket);
  if (ticket === undefined) return "400 mobility-ticket-unknown";
  const allocation = allocations.mobile(ticket.allocation);
  if (allocation === undefined) return "437 no-allocation";
  if (allocation.scope.gateway !== gateway) return "400 mobility-ticket-unknown";
  return { allocation, number: ticket.number };
};

/** The allocation that a move is about: its owner may have credentials that are valid only for it. */
export const movedAllocation = (message: Message, context: RequestContext): Allocation | undefined => {
  const found = ticketed(message, context);
  return typeof found === "string" ? undefined : found.allocation;
};

/** Why the client may not move the allocation; undefined if it may. */
const obstacle = (
  { path, context }: Exchange,
  { allocation, number }: Ticketed,
  present: Allocation | undefined,
): RefusalCode | undefined => {
  const { mobility, scope } = allocation;
  const { allocations } = context.relay;
  const isTaken = present === undefined ? allocations.isClaimed(fiveTuple(path)) : present !== allocation;
  if (isTaken) return "437 allocation-exists";
  if (scope !== context) return "405 mobility-listener";
  if (mobility === undefined || number < mobility.oldest) return "400 mobility-ticket-replaced";
  if (present !== undefined && !allocations.isAnnounced(allocation, path)) return "400 mobility-same-address";
  if (mobility.newest === MAX_NUMBER) return "508 mobility-tickets";
  return undefined;
};

const ticketOf = (tickets: Tickets, { id }: Allocation, { newest }: Mobility): Attribute => ({
  type: attribute.mobilityTicket,
  raw: tickets.issue({ allocation: id, number: newest }),
});

/**
 * The ticket in the answer to an Allocate that asks for one; none if mobility is off. A client that reaches TCP peers needs
 * its connection: it gets none either.
 */
export const firstTicketOf = (allocation: Allocation, { relay }: RequestContext): readonly Attribute[] =>
  relay.tickets === undefined || allocation.protocol === "TCP"
    ? []
    : [ticketOf(relay.tickets, allocation, relay.allocations.makeMobile(allocation))];

/** @param present the allocation that the five-tuple of the request has, or is about to get. */
export const move = (exchange: Exchange, present: Allocation | undefined): Answer => {
  const { message, path, context, who } = exchange;
  const found = ticketed(message, context);
  if (typeof found === "string") return failure(found);
  const { allocation } = found;
  const { mobility, owner } = allocation;
  if (owner.userId !== who.userId) return failure("441 other-user");
  const { answered } = mobility ?? {};
  if (present === allocation && answered !== undefined && message.transactionId.equals(answered.transactionId))
    return success(...answered.response);
  const wrong = obstacle(exchange, found, present);
  if (wrong !== undefined) return failure(wrong);
  const refreshed = refresh({ ...exchange, allocation });
  const { tickets, allocations } = context.relay;
  if (refreshed.kind !== "success" || allocation.isClosed || mobility === undefined || tickets === undefined)
    return refreshed;
  allocations.announce(allocation, path);
  mobility.newest++;
  const response = [...refreshed.attributes, ticketOf(tickets, allocation, mobility)];
  mobility.answered = { transactionId: new Uint8Array(message.transactionId), response };
  return success(...response);
};
