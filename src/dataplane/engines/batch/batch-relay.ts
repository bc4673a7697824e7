/** A relayed transport address of the batch engine: its socket, and the flow that takes what peers send to it. */
import { familyOf } from "../../../net/address.ts";
import type { Family } from "../../../net/ip.ts";
import type { Flow, PeerFlow, RelayPort } from "../../flows.ts";
import type { RelayAddress } from "../../placement.ts";
import type { HeldPort } from "../engine.ts";
import { peerDataOut } from "../forward.ts";
import { IPV4_MARK } from "./arena.ts";
import type { DatagramOwner, DatagramSocket } from "./datagram-socket.ts";
import type { Datagrams } from "./datagrams.ts";

/** Small, because each allocation has its own sockets. */
const BATCH = 32;
const BUFFER_BYTES = 1 << 20;

/** One per allocation: it has methods, not closures, to save memory. */
export class BatchRelay implements RelayPort, DatagramOwner {
  readonly family: Family;
  readonly address: string;
  readonly port: number;
  readonly #datagrams: Datagrams;
  readonly #at: RelayAddress;
  readonly #socket: DatagramSocket;
  #flow: Flow | undefined;

  /**
   * @param adopted a descriptor that is bound to the address; the relay takes ownership of it. Without one a socket is
   * made.
   * @throws the error of the system call, with the address.
   */
  constructor(datagrams: Datagrams, at: RelayAddress, port: number, adopted?: number) {
    const { bind, advertised } = at;
    this.#datagrams = datagrams;
    this.#at = at;
    this.#socket = datagrams.open(
      { address: bind, port },
      {
        bufferBytes: BUFFER_BYTES,
        batch: BATCH,
        owner: this,
        ...(adopted === undefined ? {} : { fd: adopted, isOurs: true }),
      },
    );
    this.family = familyOf(advertised);
    this.address = advertised;
    this.port = datagrams.portOf(this.#socket);
  }

  attach(flow: Flow): void {
    this.#flow = flow;
  }

  send(bytes: Buffer, start: number, end: number, peer: PeerFlow, dontFragment: boolean): void {
    if (this.#socket.setsDontFragment !== dontFragment) this.#datagrams.setDontFragment(this.#socket, dontFragment);
    this.#datagrams.send(this.#socket, bytes, start, end, peer);
  }

  /** Releases the socket: the caller owns its descriptor from here on. */
  release(): HeldPort {
    return { fd: this.#datagrams.releaseSocket(this.#socket), address: this.#at, port: this.port };
  }

  close(): void {
    this.#datagrams.closeSocket(this.#socket);
  }

  take(slot: number, start: number, end: number): void {
    const flow = this.#flow;
    if (flow === undefined) {
      this.#datagrams.drops["no-allocation"]++;
      return;
    }
    const { arena, bytes } = this.#datagrams;
    const port = arena.sourcePort(slot);
    const known =
      this.#socket.family === 4
        ? flow.peerByWords(0, 0, IPV4_MARK, arena.sourceWord(slot, 1), port)
        : flow.peerByWords(
            arena.sourceWord(slot, 2),
            arena.sourceWord(slot, 3),
            arena.sourceWord(slot, 4),
            arena.sourceWord(slot, 5),
            port,
          );
    // An unknown peer: a permission for its address may exist.
    const peer = known ?? flow.peer(this.#datagrams.sourceOf(slot, this.#socket.family), port);
    peerDataOut(flow, peer, bytes, start, end);
  }
}
