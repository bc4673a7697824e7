/** Allocate, RFC 8656 §7.2. */
import type { Family } from "../../net/ip.ts";
import type { RelayPort } from "../flows.ts";
import { grantedSeconds } from "../lifetimes.ts";
import { addressErrorCodeValue, addressFamily, attribute } from "../../stun/attributes.ts";
import type { Attribute, Message } from "../../stun/message.ts";
import type { ListenerPath } from "../listeners/listener.ts";
import type { Reservations } from "../reservations.ts";
import { TcpRelay } from "../tcp-relay.ts";
import { firstTicketOf } from "./move.ts";
import { connectionAttempt } from "./connection-attempt.ts";
import { tryAlternate } from "./try-alternate.ts";
import {
  failure,
  notUnderstood,
  silence,
  success,
  type Answer,
  type Exchange,
  type RequestContext,
} from "./exchange.ts";

/** IP protocol numbers. */
const [tcp, udp] = [6, 17];

/**
 * The family of a request that names none: IPv4 (RFC 8656 §7.2), or IPv6 if the relay has no IPv4 address, because browsers
 * name none and would get no candidate; `strictAddressFamily` rejects those requests, as the RFC requires.
 */
const usualFamily = (context: RequestContext): Family =>
  context.relay.options.strictAddressFamily !== true &&
  context.relayAddress(4) === undefined &&
  context.relayAddress(6) !== undefined
    ? 6
    : 4;

/** Which families the request asks for, or what is wrong with it. */
const families = (
  message: Message,
  { protocol }: ListenerPath,
  context: RequestContext,
): readonly Family[] | Answer => {
  const { requestedTransport, requestedFamily, additionalFamily, evenPort, reservationToken } = message;
  if (requestedTransport === undefined) return failure("400 no-transport");
  if (requestedTransport !== udp && requestedTransport !== tcp) return failure("442 transport");
  if (requestedTransport === tcp) {
    // RFC 6062 §5.1: the client's connection must be a stream, and none of these attributes is allowed.
    if (protocol === "udp" || protocol === "dtls") return failure("400 tcp-over-datagrams");
    if ((evenPort ?? reservationToken ?? message.dontFragment) !== undefined) return failure("400 not-for-tcp");
  }
  // RFC 8656 §7.2: a server that cannot set the DF bit treats the attribute as unknown.
  if (message.dontFragment === true && !context.canSetDontFragment) return notUnderstood([attribute.dontFragment]);
  if (reservationToken !== undefined && (evenPort ?? requestedFamily ?? additionalFamily) !== undefined)
    return failure("400 reservation-token");
  if (additionalFamily !== undefined) {
    // §7.2: only IPv6 can be additional, and not together with a requested family or a port to reserve.
    if (requestedFamily !== undefined || additionalFamily !== addressFamily.ipv6 || evenPort === true)
      return failure("400 additional-family");
    return [4, 6];
  }
  if (requestedFamily === undefined) return [usualFamily(context)];
  if (requestedFamily === addressFamily.ipv4) return [4];
  return requestedFamily === addressFamily.ipv6 ? [6] : failure("440 family");
};

interface Ports {
  readonly relays: readonly (RelayPort | TcpRelay)[];
  /** The port that is held for another allocation. */
  readonly token?: Buffer;
  /** Requested families that are unavailable, with an error code each. */
  readonly missing: readonly { readonly family: Family; readonly code: number }[];
}

const closePorts = async ({ relays, token }: Ports, reservations: Reservations): Promise<void> => {
  for (const relay of relays) relay.close();
  if (token !== undefined) (await reservations.take(token))?.close();
};

/** Binds what was requested; an error if nothing could be bound. */
const openPorts = async ({ message, context, now }: Exchange, wanted: readonly Family[]): Promise<Ports | Answer> => {
  const { evenPort, reservationToken } = message;
  const { reservations, engine, ports } = context.relay;
  if (reservationToken !== undefined) {
    const held = await reservations.take(reservationToken);
    return held === undefined ? failure("508 reservation-token") : { relays: [held], missing: [] };
  }
  const relays: (RelayPort | TcpRelay)[] = [];
  const missing: { family: Family; code: number }[] = [];
  let reserved: RelayPort | undefined;
  for (const family of wanted) {
    const address = context.relayAddress(family);
    if (address === undefined) {
      missing.push({ family, code: 440 });
      continue;
    }
    try {
      if (message.requestedTransport === tcp) {
        relays.push(await TcpRelay.open(address, ports));
        continue;
      }
      const even = evenPort === undefined ? undefined : await reservations.even(address, evenPort);
      if (even !== undefined) reserved = even.next;
      else if (evenPort !== undefined) throw new Error("no even port");
      relays.push(even?.port ?? (await ports.open(address, (port) => engine.relay(address, port))));
    } catch (error) {
      context.relay.log.warn({ err: error, address }, "a relayed transport address could not be made");
      missing.push({ family, code: 508 });
    }
  }
  const [first] = missing;
  if (relays.length === 0) return failure(first?.code === 440 ? "440 family" : "508 relay-port");
  if (reserved === undefined) return { relays, missing };
  const token = await reservations.hold(reserved, now);
  if (token !== undefined) return { relays, missing, token };
  for (const relay of relays) relay.close();
  return failure("508 reservations");
};

export const allocate = async (exchange: Exchange): Promise<Answer> => {
  const { message, path, context, who, now } = exchange;
  const redirection = tryAlternate(exchange);
  if (redirection !== undefined) return redirection;
  const wanted = families(message, path, context);
  if ("kind" in wanted) return wanted;
  // RFC 8016 §3.1.1: the attribute of a request is empty.
  if (message.mobilityTicket !== undefined && message.mobilityTicket.length > 0) return failure("400 mobility-ticket");
  const { allocations, reservations } = context.relay;
  const full = allocations.claim(context, path, who);
  if (full !== undefined) return failure(full);
  if (!(await allocations.takeQuota(context, who))) {
    allocations.unclaim(context, path, who);
    return failure("486 quota");
  }
  const ports = await openPorts(exchange, wanted);
  // From here to `open` the code is synchronous: the allocation takes the claim's place.
  const isWanted =
    allocations.unclaim(context, path, who) && !context.isClosed && !context.gateway.isBlocked(who.userId);
  if ("kind" in ports) {
    allocations.giveQuotaBack(context, who);
    return ports;
  }
  if (!isWanted) {
    allocations.giveQuotaBack(context, who);
    await closePorts(ports, reservations);
    return silence;
  }
  const { token } = ports;
  const seconds = grantedSeconds(message.lifetime);
  const [relayed, ...additional] = ports.relays.map((relay) => ({ type: attribute.xorRelayedAddress, address: relay }));
  const response: Attribute[] = [
    ...(relayed === undefined ? [] : [relayed]),
    { type: attribute.lifetime, value: seconds },
    { type: attribute.xorMappedAddress, address: path.client },
    ...(token === undefined ? [] : [{ type: attribute.reservationToken, value: token }]),
    ...additional,
    ...ports.missing.map(({ family, code }) => ({
      type: attribute.addressErrorCode,
      raw: addressErrorCodeValue(family === 4 ? addressFamily.ipv4 : addressFamily.ipv6, code),
    })),
  ];
  const allocation = allocations.open(context, {
    path,
    owner: who,
    relays: ports.relays.slice(),
    // Not a slice of memory that messages share, which it would keep.
    made: { transactionId: new Uint8Array(message.transactionId), response },
    now,
    expiresAt: now + seconds * 1000,
  });
  if (message.mobilityTicket !== undefined) response.push(...firstTicketOf(allocation, context));
  for (const relay of ports.relays)
    if (relay instanceof TcpRelay) relay.attach((socket) => connectionAttempt(context, allocation, socket));
  return success(...response);
};
