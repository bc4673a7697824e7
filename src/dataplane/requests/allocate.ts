/** Allocate, RFC 8656 §7.2. */
import type { Family } from "../address.ts";
import type { RelayPort } from "../flows.ts";
import { grantedSeconds } from "../lifetimes.ts";
import { addressErrorCodeValue, addressFamily, attribute } from "../stun/attributes.ts";
import type { Attribute, Message } from "../stun/message.ts";
import type { Serving } from "../serving.ts";
import { failure, silence, success, type Answer, type Exchange } from "./exchange.ts";

const udp = 17;

/** Which families the request asks for, or what is wrong with it. */
const families = (message: Message): readonly Family[] | Answer => {
  const { requestedTransport, requestedFamily, additionalFamily, evenPort, reservationToken } = message;
  if (requestedTransport === undefined) return failure(400, "no-transport");
  if (requestedTransport !== udp) return failure(442, "transport");
  if (reservationToken !== undefined && (evenPort ?? requestedFamily ?? additionalFamily) !== undefined)
    return failure(400, "reservation-token");
  if (additionalFamily !== undefined) {
    // §7.2: only IPv6 can be additional, and not to a family asked for nor with a port to reserve.
    if (requestedFamily !== undefined || additionalFamily !== addressFamily.ipv6 || evenPort === true)
      return failure(400, "additional-family");
    return [4, 6];
  }
  if (requestedFamily === undefined || requestedFamily === addressFamily.ipv4) return [4];
  return requestedFamily === addressFamily.ipv6 ? [6] : failure(440, "family");
};

interface Ports {
  readonly relays: readonly RelayPort[];
  readonly reserved?: RelayPort;
  /** Families that were asked for and are not there, with an error code each. */
  readonly missing: readonly { readonly family: Family; readonly code: number }[];
}

const closePorts = ({ relays, reserved }: Ports): void => {
  for (const relay of relays) relay.close();
  reserved?.close();
};

/** Binds what was asked for; an error when nothing could be. */
const openPorts = async (message: Message, serving: Serving, wanted: readonly Family[]): Promise<Ports | Answer> => {
  const { evenPort, reservationToken } = message;
  const { reservations, engine } = serving.shared;
  if (reservationToken !== undefined) {
    const held = reservations.take(reservationToken);
    return held === undefined ? failure(508, "reservation-token") : { relays: [held], missing: [] };
  }
  const relays: RelayPort[] = [];
  const missing: { family: Family; code: number }[] = [];
  let reserved: RelayPort | undefined;
  for (const family of wanted) {
    const address = serving.relayAddress(family);
    if (address === undefined) {
      missing.push({ family, code: 440 });
      continue;
    }
    try {
      const even = evenPort === undefined ? undefined : await reservations.even(address, evenPort);
      if (even !== undefined) reserved = even.next;
      else if (evenPort !== undefined) throw new Error("no even port");
      relays.push(even?.port ?? (await engine.relay(address, 0)));
    } catch (error) {
      serving.shared.log.warn({ error, address }, "a relayed transport address could not be made");
      missing.push({ family, code: 508 });
    }
  }
  const [first] = missing;
  if (relays.length === 0) return failure(first?.code ?? 508, first?.code === 440 ? "family" : "relay-port");
  return { relays, missing, ...(reserved && { reserved }) };
};

export const allocate = async ({ message, path, serving, who, now }: Exchange): Promise<Answer> => {
  const wanted = families(message);
  if ("kind" in wanted) return wanted;
  const full = serving.claim(path, who);
  if (full !== undefined) return full;
  if (!(await serving.take(who))) {
    serving.unclaim(path, who);
    return failure(486, "quota");
  }
  const ports = await openPorts(message, serving, wanted);
  // From here to `open` nothing waits: the allocation takes the claim's place.
  const isWanted = serving.unclaim(path, who);
  if ("kind" in ports) {
    serving.giveBack(who);
    return ports;
  }
  if (!isWanted) {
    serving.giveBack(who);
    closePorts(ports);
    return silence;
  }
  const seconds = grantedSeconds(message.lifetime);
  const token = ports.reserved && serving.shared.reservations.hold(ports.reserved, now);
  if (ports.reserved !== undefined && token === undefined) {
    serving.giveBack(who);
    closePorts(ports);
    return failure(508, "reservations");
  }
  const response: readonly Attribute[] = [
    ...ports.relays.map((relay) => ({ type: attribute.xorRelayedAddress, address: relay })),
    { type: attribute.lifetime, value: seconds },
    { type: attribute.xorMappedAddress, address: path.client },
    ...(token === undefined ? [] : [{ type: attribute.reservationToken, value: token }]),
    ...ports.missing.map(({ family, code }) => ({
      type: attribute.addressErrorCode,
      raw: addressErrorCodeValue(family === 4 ? addressFamily.ipv4 : addressFamily.ipv6, code),
    })),
  ];
  serving.open({
    path,
    owner: who,
    relays: ports.relays,
    transactionId: message.transactionId,
    response,
    now,
    expiresAt: now + seconds * 1000,
  });
  return success(...response);
};
