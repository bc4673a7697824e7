import { afterEach, expect, it } from "vitest";
import { wireAddressOf } from "../../../net/address.ts";
import { noDrops } from "../../flows.ts";
import { Datagrams } from "./datagrams.ts";

let datagrams: Datagrams | undefined;
afterEach(() => datagrams?.close());

it.each([
  { runs: true, segments: [8, 8, 8] },
  { runs: false, segments: [0, 0, 0] },
])("gives the kernel a run to one destination in one piece: $runs", async ({ runs, segments }) => {
  const sockets = (datagrams = new Datagrams({ drops: noDrops() }));
  const seen: number[] = [];
  const options = { bufferBytes: 1 << 16, batch: 8 };
  const receiver = sockets.open(
    { address: "127.0.0.1", port: 0 },
    { ...options, owner: { take: (slot) => seen.push(sockets.arena.segmentOf(slot)) } },
  );
  const sender = sockets.open(
    { address: "127.0.0.1", port: 0 },
    { ...options, runs, owner: { take: () => undefined } },
  );
  const to = wireAddressOf({ address: "127.0.0.1", port: sockets.portOf(receiver) });
  for (let count = 0; count < 3; count++) sockets.send(sender, Buffer.alloc(8), 0, 8, to);
  await expect.poll(() => seen).toEqual(segments);
});

it("runs promises of what is handed up, with nothing else to wake the process", async () => {
  const sockets = (datagrams = new Datagrams({ drops: noDrops() }));
  const ran: string[] = [];
  const receiver = sockets.open(
    { address: "127.0.0.1", port: 0 },
    {
      bufferBytes: 1 << 16,
      batch: 8,
      owner: {
        take: () =>
          sockets.handUp(() => {
            ran.push("work");
            void Promise.resolve().then(() => ran.push("promise"));
            setImmediate(() => ran.push("immediate"));
          }),
      },
    },
  );
  const to = wireAddressOf({ address: "127.0.0.1", port: sockets.portOf(receiver) });
  sockets.send(receiver, Buffer.alloc(8), 0, 8, to);
  await expect.poll(() => ran).toEqual(["work", "promise", "immediate"]);
});
