/** ConnectionAttempt, RFC 6062 §5.3: a peer has connected to the relayed transport address, and the client is notified. */
import type { Socket } from "node:net";
import type { DropCode } from "../../reasons.ts";
import { parseIp } from "../../net/ip.ts";
import type { Allocation } from "../allocation.ts";
import { attribute, connectionIdValue } from "../../stun/attributes.ts";
import { encode } from "../../stun/writer.ts";
import { method } from "../../stun/message.ts";
import { randomBytes } from "node:crypto";
import type { RequestContext } from "./exchange.ts";

/** Accepts the connection of a peer that has a permission and is admitted; any other is closed. */
export const connectionAttempt = (context: RequestContext, allocation: Allocation, socket: Socket): void => {
  const peer = parseIp(socket.remoteAddress ?? "");
  const port = socket.remotePort ?? 0;
  const refuse = (reason: DropCode): void => {
    context.dropped(reason);
    socket.destroy();
  };
  if (peer === undefined || port === 0 || allocation.isClosed) return void socket.destroy();
  if (!allocation.permissions.has(peer.text)) return refuse("no-permission");
  const verdict = allocation.check(peer, port);
  if (!verdict.admitted) {
    context.refused(allocation, peer.text, verdict);
    return refuse("not-admitted");
  }
  const { connections } = allocation;
  if (connections === undefined || connections.has(peer, port) || !connections.hasRoom) return refuse("connections");
  const { id } = context.gateway.connections.add(allocation, peer, port, socket, verdict);
  context.send(
    allocation.path,
    encode({
      method: method.connectionAttempt,
      class: "indication",
      transactionId: randomBytes(12),
      attributes: [
        { type: attribute.xorPeerAddress, address: { address: peer.text, port } },
        { type: attribute.connectionId, raw: connectionIdValue(id) },
      ],
    }),
  );
};
