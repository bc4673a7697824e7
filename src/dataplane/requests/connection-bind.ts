/** ConnectionBind, RFC 6062 §5.4: the connection that it comes by and a connection to a peer become one stream. */
import { failure, success, type Answer, type Exchange } from "./exchange.ts";

export const connectionBind = ({ message, path, serving, who }: Exchange): Answer => {
  const { connectionId } = message;
  const connection = serving.gateway.connections.get(connectionId);
  if (path.takeOver === undefined) return failure("400 connection-bind-datagrams");
  if (connectionId === undefined) return failure("400 no-connection-id");
  const { allocation } = connection ?? {};
  // One of another user, or listener, is as good as none: nobody learns which there are.
  if (allocation?.owner.userId !== who.userId || allocation.scope !== serving) return failure("400 connection-id");
  if (connection === undefined || connection.isBound) return failure("400 connection-id");
  const client = path.takeOver();
  if (client === undefined) return failure("400 connection-bind-control");
  return {
    ...success(),
    // Behind the answer, so that it is the last thing that is no data.
    afterwards: () => connection.bind(client),
  };
};
