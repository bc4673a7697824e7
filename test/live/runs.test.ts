/**
 * Runs of packets that the kernel takes and gives in one piece (UDP GSO and GRO) arrive as they were sent, whatever their
 * lengths: over a stream each is padded, and must not be at the cost of its neighbour.
 */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TurnClient } from "../../src/turn-client/turn-client.ts";
import { startTestDataplane, type TestDataplane } from "../support/dataplane.ts";

const CHANNEL = 0x4001;
/** In a run, only the last may be shorter: four runs. */
const LENGTHS = [421, 135, 36, 25, 421, 421, 421, 7, 160, 160, 159, 1201, 1201, 1201, 3];

let relay: TestDataplane;
beforeAll(async () => {
  relay = await startTestDataplane({ endpoints: ["127.0.0.1"] });
});
afterAll(async () => relay.stop());

it.each(["udp", "tcp"] as const)("from a relayed address to a client over %s", async (transport) => {
  const connect = (over: "udp" | "tcp"): Promise<TurnClient> =>
    TurnClient.connect({
      host: "127.0.0.1",
      port: relay.ports[over],
      transport: over,
      username: "user-1",
      password: "pass-1",
    });
  const [sender, receiver] = await Promise.all([connect("tcp"), connect(transport)]);
  try {
    const from = await sender.allocate();
    const to = await receiver.allocate();
    await sender.channelBind(CHANNEL, to.relayed[0]!);
    await receiver.channelBind(CHANNEL, from.relayed[0]!);
    for (let round = 0; round < 20; round += 1) {
      const sent = LENGTHS.map((length) => randomBytes(length));
      for (const data of sent) sender.sendChannel(CHANNEL, data);
      for (const data of sent) expect((await receiver.receive(5000)).data.equals(data)).toBe(true);
    }
  } finally {
    sender.close();
    receiver.close();
  }
});
