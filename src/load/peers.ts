/** Echo peers: they return what a relay sends them. */
import { wireAddressOf, type WireAddress, type TransportAddress } from "../net/address.ts";
import type { Datagrams, DatagramSocket } from "../dataplane/engines/index.ts";

export const BUFFER_BYTES = 4 << 20;
export const BATCH = 64;

/** @param runs whether packets of one burst may be sent back in one piece (UDP GSO). */
export const startPeers = (
  datagrams: Datagrams,
  count: number,
  address: string,
  runs: boolean,
): readonly TransportAddress[] => {
  // One object for each source: bursts to one destination are recognised by its identity.
  const sources: (WireAddress | undefined)[] = [];
  return Array.from({ length: count }, () => {
    const socket: DatagramSocket = datagrams.open(
      { address, port: 0 },
      {
        bufferBytes: BUFFER_BYTES,
        batch: BATCH,
        runs,
        owner: {
          take: (slot, start, end) => {
            const port = datagrams.arena.sourcePort(slot);
            const to = (sources[port] ??= wireAddressOf({ address: datagrams.sourceOf(slot, socket.family), port }));
            datagrams.send(socket, datagrams.bytes, start, end, to);
          },
        },
      },
    );
    return { address, port: datagrams.portOf(socket) };
  });
};
