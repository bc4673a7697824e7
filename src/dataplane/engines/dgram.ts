/** The portable engine: node:dgram sockets, one for each client port and one for each relayed transport address. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { familyOf, type TransportAddress } from "../address.ts";
import type { RelayAddress } from "../placement.ts";
import { FlowTable, type Drops, type Flow, type RelayPort, type Traffic } from "../flows.ts";
import { maxBacklogBytes } from "../limits.ts";
import type { ClientPort, ClientPortOwner, DatagramPort, Engine, EngineOptions } from "./engine.ts";
import { fromClient, HEADROOM, isSendIndication, peerDataOut, TAILROOM } from "./forward.ts";

const bufferBytes = 4 << 20;

/** Addresses are literals here: without this every send would wait a tick for a look-up that looks nothing up. */
const literal = (
  address: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void => callback(null, address, familyOf(address));

const open = async (address: string, port: number): Promise<Socket> => {
  const socket = createSocket({
    type: familyOf(address) === 6 ? "udp6" : "udp4",
    ipv6Only: familyOf(address) === 6,
    lookup: literal,
  });
  // With a look-up that answers at once, `listening` may come before `bind` returns.
  const listening = once(socket, "listening");
  socket.bind({ address, port, exclusive: true });
  try {
    await listening;
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
};

/**
 * What sends from a socket for as long as it is open. A datagram that the system refuses is counted, and concerns nobody
 * else: one client or peer that cannot be reached must not end the socket that all use.
 */
const sender = (socket: Socket, drops: Drops) => {
  let isOpen = true;
  const sent = (error: Error | null): void => {
    if (error !== null && isOpen) drops.unsendable++;
  };
  return {
    send(bytes: Buffer, start: number, end: number, to: TransportAddress): void {
      if (!isOpen) drops.unsendable++;
      else if (socket.getSendQueueSize() > maxBacklogBytes) drops["socket-backlog"]++;
      else socket.send(bytes, start, end - start, to.port, to.address, sent);
    },
    /** Whether it was still open. */
    end(): boolean {
      const was = isOpen;
      isOpen = false;
      return was;
    },
  };
};

/** Best effort: the kernel's limit may be lower. */
const enlarge = (socket: Socket): void => {
  try {
    socket.setRecvBufferSize(bufferBytes);
    socket.setSendBufferSize(bufferBytes);
  } catch {
    // The default size serves too.
  }
};

const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.close(() => resolve()));

/** A bound socket as a port; `take` gets every datagram. */
const portOn = async (
  { drops }: EngineOptions,
  at: TransportAddress,
  owner: ClientPortOwner,
  take: (bytes: Buffer, from: RemoteInfo) => void,
): Promise<DatagramPort> => {
  const socket = await open(at.address, at.port);
  enlarge(socket);
  socket.on("message", take);
  socket.on("error", (error) => owner.failed(error.message));
  const { address, port } = socket.address();
  const { send, end } = sender(socket, drops);
  return {
    at: { address, port },
    send,
    // The system tells that of no socket of Node's.
    kernelDrops: () => 0,
    close: () => {
      end();
      return closed(socket);
    },
  };
};

const datagrams =
  (options: EngineOptions) =>
  (at: TransportAddress, owner: ClientPortOwner): Promise<DatagramPort> =>
    portOn(options, at, owner, (bytes, from) => owner.message(bytes, from));

const listen =
  (options: EngineOptions) =>
  async (at: TransportAddress, traffic: Traffic, owner: ClientPortOwner): Promise<ClientPort> => {
    const { drops } = options;
    const flows = new FlowTable();
    const port = await portOn(options, at, owner, (bytes, from) => {
      const first = bytes[0] ?? 0xff;
      // Nothing can be sent to port 0, which a forged source may have.
      if (first > 0x7f || (first > 3 && first < 0x40) || from.port === 0) {
        drops["not-stun"]++;
        return;
      }
      if (first >= 0x40 || isSendIndication(bytes, 0)) {
        const flow = flows.find(from.address, from.port);
        if (flow === undefined) drops["no-allocation"]++;
        else fromClient(flow, bytes, 0, bytes.length);
        return;
      }
      traffic.packetsIn++;
      traffic.bytesIn += bytes.length;
      owner.message(bytes, from);
    });
    return { ...port, flows };
  };

const relay =
  ({ drops }: EngineOptions) =>
  async ({ bind, told }: RelayAddress, port: number): Promise<RelayPort> => {
    const socket = await open(bind, port);
    const { send, end } = sender(socket, drops);
    let attached: Flow | undefined;
    socket.on("error", () => undefined);
    socket.on("message", (data: Buffer, from: RemoteInfo) => {
      if (attached === undefined) {
        drops["no-allocation"]++;
        return;
      }
      const bytes = Buffer.allocUnsafe(HEADROOM + data.length + TAILROOM);
      data.copy(bytes, HEADROOM);
      peerDataOut(attached, attached.peer(from.address, from.port), bytes, HEADROOM, HEADROOM + data.length);
    });
    return {
      family: familyOf(told),
      address: told,
      port: socket.address().port,
      attach: (flow) => {
        attached = flow;
      },
      send,
      close: () => {
        if (end()) socket.close();
      },
    };
  };

export const createDgramEngine = (options: EngineOptions): Engine => ({
  listen: listen(options),
  datagrams: datagrams(options),
  relay: relay(options),
  // Node has no option for it.
  canSendWhole: false,
  close: () => undefined,
});
