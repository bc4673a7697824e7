/** ConnectionBind, RFC 6062 §5.4: the connection that it comes by and a connection to a peer become one stream. */
import { failure, success, type Answer, type Exchange } from "./exchange.ts";

export const connectionBind = ({ message, path, context, who }: Exchange): Answer => {
  const { connectionId } = message;
  const held = context.gateway.connections.get(connectionId);
  if (path.takeOver === undefined) return failure("400 connection-bind-datagrams");
  if (connectionId === undefined) return failure("400 no-connection-id");
  // One of another user, or listener, is as good as none: nobody learns which there are.
  if (held?.allocation.owner.userId !== who.userId || held.allocation.scope !== context)
    return failure("400 connection-id");
  const { connection } = held;
  if (connection.isBound) return failure("400 connection-id");
  const client = path.takeOver();
  if (client === undefined) return failure("400 connection-bind-control");
  return {
    ...success(),
    // Behind the answer, so that it is the last thing that is no data.
    afterwards: () => connection.bind(client),
  };
};
