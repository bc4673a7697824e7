/** The engine for Linux: the flow table over {@link Datagrams}. Every packet is forwarded in place, without a copy. */
import { isWildcard, type TransportAddress } from "../../../net/address.ts";
import { FlowTable, type Drops, type Flow, type RelayPort, type Traffic } from "../../flows.ts";
import type { Connection } from "../../listeners/connection.ts";
import type { RelayAddress } from "../../placement.ts";
import type {
  HeldPort,
  ClientPort,
  ClientPortOwner,
  DatagramPort,
  Engine,
  EngineOptions,
  StreamPortOfClients,
} from "../engine.ts";
import { fromClient, isSendIndication } from "../forward.ts";
import { IPV4_MARK, type Arena } from "./arena.ts";
import { BatchRelay } from "./batch-relay.ts";
import { Datagrams } from "./datagrams.ts";
import { StreamPort } from "./stream-socket.ts";
import type { DatagramSocket } from "./datagram-socket.ts";

/** Large, because one socket receives the datagrams of all clients. */
const CLIENT_BATCH = 256;
const CLIENT_BUFFER_BYTES = 4 << 20;

class BatchEngine implements Engine {
  readonly canSetDontFragment = true;
  readonly #options: EngineOptions;
  readonly #drops: Drops;
  readonly #datagrams: Datagrams;
  readonly #arena: Arena;
  readonly #bytes: Buffer;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#drops = options.drops;
    const { drops, descriptors, clientSockets, isBusy, busyPollMs } = options;
    this.#datagrams = new Datagrams({
      drops,
      descriptors,
      isOwnThread: clientSockets !== undefined,
      isBusy,
      busyPollMs,
    });
    this.#arena = this.#datagrams.arena;
    this.#bytes = this.#datagrams.bytes;
  }

  async listen(at: TransportAddress, traffic: Traffic, owner: ClientPortOwner): Promise<ClientPort> {
    const flows = new FlowTable();
    const datagrams = this.#datagrams;
    const fd = await this.#options.clientSockets?.open(at);
    const socket: DatagramSocket = datagrams.open(at, {
      bufferBytes: CLIENT_BUFFER_BYTES,
      batch: CLIENT_BATCH,
      ...(fd === undefined ? {} : { fd }),
      owner: { take: (slot, start, end) => this.#fromClient(socket, flows, traffic, owner, slot, start, end, port) },
    });
    const opened = this.#portOf(socket, at);
    const port = isWildcard(at.address) ? opened.at.port : 0;
    return { ...opened, flows };
  }

  async datagrams(at: TransportAddress, owner: ClientPortOwner): Promise<DatagramPort> {
    const datagrams = this.#datagrams;
    const fd = await this.#options.clientSockets?.open(at);
    const socket: DatagramSocket = datagrams.open(at, {
      bufferBytes: CLIENT_BUFFER_BYTES,
      batch: CLIENT_BATCH,
      ...(fd === undefined ? {} : { fd }),
      owner: {
        take: (slot, start, end) => this.#handUp(socket, owner, slot, start, end, port),
      },
    });
    const opened = this.#portOf(socket, at);
    const port = isWildcard(at.address) ? opened.at.port : 0;
    return opened;
  }

  /**
   * Our own address that a datagram to `wildcardPort` was sent to; undefined if that is 0, because the socket then has only
   * one.
   */
  #ownAddress(socket: DatagramSocket, slot: number, wildcardPort: number): TransportAddress | undefined {
    if (wildcardPort === 0) return undefined;
    const address = this.#datagrams.ownAddressOf(slot, socket.family);
    return address === undefined ? undefined : { address, port: wildcardPort };
  }

  #portOf(socket: DatagramSocket, at: TransportAddress): DatagramPort {
    const datagrams = this.#datagrams;
    return {
      at: { address: at.address, port: datagrams.portOf(socket) },
      send: (bytes, start, end, to) => datagrams.send(socket, bytes, start, end, to),
      kernelDrops: () => datagrams.kernelDropsOf(socket),
      close: async () => {
        datagrams.closeSocket(socket);
        await this.#options.clientSockets?.close(at);
      },
    };
  }

  // oxlint-disable-next-line require-await -- what throws must reject
  async relay(address: RelayAddress, port: number): Promise<RelayPort> {
    return new BatchRelay(this.#datagrams, address, port);
  }

  // oxlint-disable-next-line require-await -- what throws must reject
  async streams(
    at: TransportAddress,
    isShared: boolean,
    accept: (connection: Connection) => void,
  ): Promise<StreamPortOfClients> {
    return new StreamPort(this.#datagrams, at, isShared, accept);
  }

  readonly handOver = {
    release: (port: RelayPort): HeldPort => {
      if (!(port instanceof BatchRelay)) throw new TypeError("the port is another engine's");
      return port.release();
    },
    accept: ({ fd, address, port }: HeldPort): RelayPort => new BatchRelay(this.#datagrams, address, port, fd),
  };

  close(): void {
    this.#datagrams.close();
  }

  #fromClient(
    socket: DatagramSocket,
    flows: FlowTable,
    traffic: Traffic,
    owner: ClientPortOwner,
    slot: number,
    start: number,
    end: number,
    wildcardPort: number,
  ): void {
    const bytes = this.#bytes;
    const arena = this.#arena;
    const first = end > start ? (bytes[start] ?? 0xff) : 0xff;
    const port = arena.sourcePort(slot);
    // Nothing can be sent to port 0, which a forged source may have.
    if (first > 0x7f || (first > 3 && first < 0x40) || port === 0) {
      this.#drops["not-stun"]++;
      return;
    }
    if (first >= 0x40 || isSendIndication(bytes, start)) {
      const flow =
        wildcardPort !== 0
          ? this.#flowBetween(socket, flows, slot, port)
          : socket.family === 4
            ? flows.findWords(0, 0, IPV4_MARK, arena.sourceWord(slot, 1), port)
            : flows.findWords(
                arena.sourceWord(slot, 2),
                arena.sourceWord(slot, 3),
                arena.sourceWord(slot, 4),
                arena.sourceWord(slot, 5),
                port,
              );
      if (flow === undefined) this.#drops["no-allocation"]++;
      else fromClient(flow, bytes, start, end);
      return;
    }
    traffic.packetsIn++;
    traffic.bytesIn += end - start;
    this.#handUp(socket, owner, slot, start, end, wildcardPort);
  }

  #handUp(
    socket: DatagramSocket,
    owner: ClientPortOwner,
    slot: number,
    start: number,
    end: number,
    wildcardPort: number,
  ): void {
    // The slot is reused before the owner sees the datagram.
    const bytes = Buffer.from(this.#bytes.subarray(start, end));
    const client = { address: this.#datagrams.sourceOf(slot, socket.family), port: this.#arena.sourcePort(slot) };
    const own = this.#ownAddress(socket, slot, wildcardPort);
    this.#datagrams.handUp(() => {
      if (socket.isOpen) owner.message(bytes, client, own);
    });
  }

  /** The flow of a datagram that arrived at a wildcard port. */
  #flowBetween(socket: DatagramSocket, flows: FlowTable, slot: number, port: number): Flow | undefined {
    const arena = this.#arena;
    const at = arena.ownAddressAt(slot);
    if (at < 0) return undefined;
    if (socket.family === 4)
      return flows.findBetween(0, 0, IPV4_MARK, arena.sourceWord(slot, 1), port, 0, 0, IPV4_MARK, arena.wordAt(at));
    return flows.findBetween(
      arena.sourceWord(slot, 2),
      arena.sourceWord(slot, 3),
      arena.sourceWord(slot, 4),
      arena.sourceWord(slot, 5),
      port,
      arena.wordAt(at),
      arena.wordAt(at + 1),
      arena.wordAt(at + 2),
      arena.wordAt(at + 3),
    );
  }
}

/** @throws if this machine cannot run the engine; the message says why. */
export const createBatchEngine = (options: EngineOptions): Engine => new BatchEngine(options);
