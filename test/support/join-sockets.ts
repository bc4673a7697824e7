/** Two connections as one: what comes from either goes to the other, and they end together. */
import type { Socket } from "node:net";

/** @param open holds both until they have ended, for whoever closes all. */
export const joinSockets = (inner: Socket, outer: Socket, open: Set<Socket>): void => {
  for (const socket of [inner, outer]) {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    // Whatever ends one ends the other.
    socket.on("error", () => undefined);
  }
  inner.on("close", () => outer.destroy());
  outer.on("close", () => inner.destroy());
  inner.pipe(outer).pipe(inner);
};
