/**
 * A ConnectionBind for a connection to a peer that another thread has: the stream that it arrived on moves there, and
 * begins with this request. That thread challenges, authenticates and answers.
 */
import { pour } from "../pour.ts";
import type { Message } from "../../stun/message.ts";
import { isOneOf } from "../numbers.ts";
import type { ListenerPath } from "../listeners/listener.ts";
import type { RequestContext } from "./exchange.ts";

/** @returns false if the request is to be answered here. */
export const handOver = (context: RequestContext, message: Message, path: ListenerPath): boolean => {
  const { connectionId } = message;
  const { streams, ids } = context.relay.options;
  if (connectionId === undefined || streams === undefined || ids === undefined) return false;
  if (isOneOf(ids, connectionId)) return false;
  const client = path.takeOver?.();
  if (client === undefined) return false;
  client.pause();
  // The memory of the request's bytes is reused as soon as this returns.
  const request = Buffer.from(message.bytes);
  const { address, port } = path.client;
  const stream = {
    gateway: context.gateway.name,
    listener: context.name,
    client: { address, port },
    server: path.server,
  };
  streams.handOver(stream, connectionId).then(
    (other) => {
      other.on("error", () => undefined);
      other.write(request);
      pour(client, other, () => 0);
      pour(other, client, () => 0);
    },
    // The thread has ended, and its connections with it.
    () => client.destroy(),
  );
  return true;
};
