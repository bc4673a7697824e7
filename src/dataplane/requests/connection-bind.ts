/** ConnectionBind, RFC 6062 §5.4: the connection that it arrives on and a connection to a peer become one stream. */
import { failure, success, type Answer, type Exchange } from "./exchange.ts";

export const connectionBind = ({ message, path, context, who }: Exchange): Answer => {
  const { connectionId } = message;
  const held = context.gateway.connections.get(connectionId);
  if (path.takeOver === undefined) return failure("400 connection-bind-datagrams");
  if (connectionId === undefined) return failure("400 no-connection-id");
  // A connection of another user or listener is treated as unknown, so that no client learns which exist.
  if (held?.allocation.owner.userId !== who.userId || held.allocation.scope !== context)
    return failure("400 connection-id");
  const { connection } = held;
  if (connection.isBound) return failure("400 connection-id");
  const client = path.takeOver();
  if (client === undefined) return failure("400 connection-bind-control");
  return {
    ...success(),
    // After the answer, so that the answer is the last message before data.
    afterwards: () => connection.bind(client),
  };
};
