/** A TURN client over a stream that a test has opened itself. */
import type { Socket } from "node:net";
import { Framer } from "../../src/stun/framing.ts";
import type { Receiver, Transport } from "../../src/turn-client/transport.ts";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { credentials } from "./dataplane.ts";

export const turnOver = (socket: Socket): Promise<TurnClient> => {
  const reach = (receiver: Receiver): Transport => {
    const framer = new Framer(
      (frame) => {
        receiver.message(frame);
        return true;
      },
      () => 70_000,
    );
    socket.on("data", (chunk: Buffer) => void framer.push(chunk));
    socket.on("close", () => receiver.closed("closed"));
    return {
      isReliable: true,
      local: { address: "", port: 0 },
      send: (bytes) => void socket.write(Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)])),
      close: () => socket.destroy(),
    };
  };
  return TurnClient.connect({ host: "127.0.0.1", port: 0, transport: reach, ...credentials });
};
