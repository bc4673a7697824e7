/** Refresh, RFC 8656 §8.2. */
import { grantedSeconds } from "../lifetimes.ts";
import { addressFamily, attribute } from "../../stun/attributes.ts";
import { failure, success, type AllocationExchange, type Answer } from "./exchange.ts";

export const refresh = ({ message, allocation, context, now }: AllocationExchange): Answer => {
  const { requestedFamily, lifetime } = message;
  const family = requestedFamily === addressFamily.ipv4 ? 4 : 6;
  if (requestedFamily !== undefined) {
    if (requestedFamily !== addressFamily.ipv4 && requestedFamily !== addressFamily.ipv6) return failure("443 family");
    if (allocation.relayFor(family) === undefined) return failure("443 family");
  }
  if (lifetime !== 0) {
    const seconds = grantedSeconds(lifetime);
    allocation.expiresAt = now + seconds * 1000;
    return success({ type: attribute.lifetime, value: seconds });
  }
  if (requestedFamily !== undefined && allocation.relays.length > 1) allocation.closeFamily(family);
  else context.relay.allocations.close(allocation, "client asked");
  return success({ type: attribute.lifetime, value: 0 });
};
