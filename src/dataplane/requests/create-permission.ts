/** CreatePermission, RFC 8656 §10.2: all peers of a request get a permission, or none. */
import { ipsOf } from "../allocation.ts";
import { failure, success, type AllocationExchange, type Answer } from "./exchange.ts";

export const createPermission = ({ message, allocation, context, now }: AllocationExchange): Answer => {
  const peers = ipsOf(message.peers);
  if (peers.length === 0) return failure("400 no-peer");
  for (const peer of peers) if (allocation.relayFor(peer.family) === undefined) return failure("443 peer-family");
  for (const peer of peers) {
    const verdict = allocation.check(peer);
    if (verdict.admitted) continue;
    context.refused(allocation, peer.text, verdict);
    return failure(`403 ${verdict.code}`);
  }
  if (!allocation.hasRoomFor(peers)) return failure("508 permissions");
  for (const peer of peers) allocation.permit(peer, now);
  return success();
};
