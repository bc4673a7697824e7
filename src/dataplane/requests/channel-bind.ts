/** ChannelBind, RFC 8656 §12.2. */
import { ipsOf } from "../allocation.ts";
import { isChannelNumber } from "../channel-number.ts";
import { failure, success, type AllocationExchange, type Answer } from "./exchange.ts";

export const channelBind = ({ message, allocation, context, now }: AllocationExchange): Answer => {
  const { channelNumber, peers } = message;
  const [peer] = ipsOf(peers);
  const port = peers[0]?.port ?? 0;
  if (channelNumber === undefined || peer === undefined) return failure("400 no-channel-or-peer");
  if (!isChannelNumber(channelNumber)) return failure("400 channel-number");
  if (port === 0) return failure("400 peer-port");
  // RFC 6062 §5: data of a TCP allocation uses only connections.
  if (allocation.protocol === "TCP") return failure("400 channel-on-tcp");
  if (allocation.relayFor(peer.family) === undefined) return failure("443 peer-family");
  const verdict = allocation.check(peer, port);
  if (!verdict.admitted) {
    context.refused(allocation, peer.text, verdict);
    return failure(`403 ${verdict.code}`);
  }
  const outcome = allocation.bind(channelNumber, peer, port, now);
  switch (outcome) {
    case "bound":
      return success();
    case "conflict":
      return failure("400 channel-conflict");
    case "family":
      return failure("443 peer-family");
    case "full":
      return failure("508 channels");
    default:
      return outcome satisfies never;
  }
};
