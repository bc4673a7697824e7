/** Connect, RFC 6062 §5.2: a connection to a peer, from the relayed transport address. */
import { ipsOf } from "../allocation.ts";
import { attribute, connectionIdValue } from "../../stun/attributes.ts";
import { failure, silence, success, type AllocationExchange, type Answer } from "./exchange.ts";

export const connect = async ({ message, allocation, context }: AllocationExchange): Promise<Answer> => {
  const [peer] = ipsOf(message.peers);
  const port = message.peers[0]?.port ?? 0;
  const { connections } = allocation;
  if (connections === undefined) return failure("437 not-tcp");
  if (peer === undefined || port === 0) return failure("400 no-peer");
  const relay = allocation.tcpRelayFor(peer.family);
  if (relay === undefined) return failure("443 peer-family");
  const verdict = allocation.check(peer, port);
  if (!verdict.admitted) {
    context.refused(allocation, peer.text, verdict);
    return failure(`403 ${verdict.code}`);
  }
  if (connections.has(peer, port)) return failure("446 connection-exists");
  if (!connections.reserve(peer, port)) return failure("508 connections");
  try {
    const socket = await relay.dial({ address: peer.text, port });
    const now = allocation.check(peer, port);
    if (allocation.isClosed || !now.admitted) {
      socket.destroy();
      if (!now.admitted) context.refused(allocation, peer.text, now);
      return allocation.isClosed || now.admitted ? silence : failure(`403 ${now.code}`);
    }
    const { id } = context.gateway.connections.add(allocation, peer, port, socket, now);
    return success({ type: attribute.connectionId, raw: connectionIdValue(id) });
  } catch {
    return allocation.isClosed ? silence : failure("447 connect");
  } finally {
    connections.release(peer, port);
  }
};
