/** The portable engine: node:dgram sockets, one for each client port and one for each relayed transport address. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { familyOf, isWildcard, type TransportAddress } from "../../net/address.ts";
import { localAddresses, type RelayAddress } from "../placement.ts";
import { FlowTable, type Drops, type Flow, type RelayPort, type Traffic } from "../flows.ts";
import { maxBacklogBytes } from "../limits.ts";
import type { ClientPort, ClientPortOwner, DatagramPort, Engine, EngineOptions } from "./engine.ts";
import { fromClient, HEADROOM, isSendIndication, peerDataOut, TAILROOM } from "./forward.ts";

const bufferBytes = 4 << 20;

/** Addresses are literals: with the default look-up every send would wait a tick. */
const literal = (
  address: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void => callback(null, address, familyOf(address));

const open = async (address: string, port: number, reuseAddr = false): Promise<Socket> => {
  const socket = createSocket({
    type: familyOf(address) === 6 ? "udp6" : "udp4",
    ipv6Only: familyOf(address) === 6,
    reuseAddr,
    lookup: literal,
  });
  // With a look-up that answers synchronously, `listening` may be emitted before `bind` returns.
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
 * Sends from a socket while it is open. A datagram that the system rejects is counted and affects nothing else: one
 * unreachable client or peer must not close the socket that all use.
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
    // The default size works too.
  }
};

const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.close(() => resolve()));

/** Receives a datagram; `own` is our own address that it was sent to, if the port is a wildcard. */
type Take = (bytes: Buffer, from: RemoteInfo, own?: TransportAddress) => void;

/**
 * The sockets of a wildcard port: one for each address of this machine, because Node neither reports the destination
 * address of a datagram nor lets the caller choose a source address; and one for addresses that the machine gets later,
 * which answers from any. They can share the port only with SO_REUSEADDR, which would let another program share it as well:
 * so the port must be free before.
 */
const openWildcard = async (
  at: TransportAddress,
): Promise<readonly { readonly socket: Socket; readonly own?: TransportAddress }[]> => {
  const family = familyOf(at.address);
  const first = await open(at.address, at.port);
  const { port } = first.address();
  await closed(first);
  const opened: { readonly socket: Socket; readonly own?: TransportAddress }[] = [];
  try {
    opened.push({ socket: await open(at.address, port, true) });
    for (const { address } of localAddresses())
      if (familyOf(address) === family)
        opened.push({ socket: await open(address, port, true), own: { address, port } });
    return opened;
  } catch (error) {
    await Promise.all(opened.map(({ socket }) => closed(socket)));
    throw error;
  }
};

/** Bound sockets as a port; `take` receives every datagram. */
const portOn = async (
  { drops }: EngineOptions,
  at: TransportAddress,
  owner: ClientPortOwner,
  take: Take,
): Promise<DatagramPort> => {
  const sockets = isWildcard(at.address) ? await openWildcard(at) : [{ socket: await open(at.address, at.port) }];
  const senders = new Map<string | undefined, ReturnType<typeof sender>>();
  for (const { socket, own } of sockets) {
    enlarge(socket);
    socket.on("message", (bytes, from) => take(bytes, from, own));
    socket.on("error", (error) => owner.failed(error.message));
    senders.set(own?.address, sender(socket, drops));
  }
  const { address = at.address, port = at.port } = sockets[0]?.socket.address() ?? {};
  return {
    at: { address, port },
    send: (bytes, start, end, to) => senders.get(to.from?.address)?.send(bytes, start, end, to),
    // Node has no API that reports this for a socket.
    kernelDrops: () => 0,
    close: async () => {
      for (const one of senders.values()) one.end();
      await Promise.all(sockets.map(({ socket }) => closed(socket)));
    },
  };
};

const datagrams =
  (options: EngineOptions) =>
  (at: TransportAddress, owner: ClientPortOwner): Promise<DatagramPort> =>
    portOn(options, at, owner, (bytes, from, own) => owner.message(bytes, from, own));

const listen =
  (options: EngineOptions) =>
  async (at: TransportAddress, traffic: Traffic, owner: ClientPortOwner): Promise<ClientPort> => {
    const { drops } = options;
    const flows = new FlowTable();
    const port = await portOn(options, at, owner, (bytes, from, own) => {
      const first = bytes[0] ?? 0xff;
      // Nothing can be sent to port 0, which a forged source may have.
      if (first > 0x7f || (first > 3 && first < 0x40) || from.port === 0) {
        drops["not-stun"]++;
        return;
      }
      if (first >= 0x40 || isSendIndication(bytes, 0)) {
        const flow = flows.find(from.address, from.port, own?.address);
        if (flow === undefined) drops["no-allocation"]++;
        else fromClient(flow, bytes, 0, bytes.length);
        return;
      }
      traffic.packetsIn++;
      traffic.bytesIn += bytes.length;
      owner.message(bytes, from, own);
    });
    return { ...port, flows };
  };

const relay =
  ({ drops }: EngineOptions) =>
  async ({ bind, advertised }: RelayAddress, port: number): Promise<RelayPort> => {
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
      family: familyOf(advertised),
      address: advertised,
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
  canSetDontFragment: false,
  close: () => undefined,
});
