/** The peer connections of a gateway by CONNECTION-ID, of all allocations (RFC 6062 §5). */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { Ip } from "../net/ip.ts";
import type { Verdict } from "../admission/admission.ts";
import type { Allocation } from "./allocation.ts";
import { nearest, type Numbers } from "./numbers.ts";
import { PeerConnection } from "./peer-connection.ts";

const MAX_ID = 0xffffffff;

/** A connection, and its owner. */
export interface HeldConnection {
  readonly allocation: Allocation;
  readonly connection: PeerConnection;
}

export class PeerConnections {
  readonly #byId = new Map<number, HeldConnection>();
  readonly #numbers: Numbers;

  /** @param numbers that CONNECTION-IDs are congruent to: they identify the thread that has the connection. */
  constructor(numbers: Numbers = { first: 0, step: 1 }) {
    this.#numbers = numbers;
  }

  get(id: number | undefined): HeldConnection | undefined {
    return id === undefined ? undefined : this.#byId.get(id);
  }

  values(): Iterable<HeldConnection> {
    return this.#byId.values();
  }

  /** Takes a connection to an admitted peer. */
  add(
    allocation: Allocation,
    peer: Ip,
    port: number,
    socket: Socket,
    { cluster, endpoint }: Extract<Verdict, { readonly admitted: true }>,
  ): PeerConnection {
    const { scope } = allocation;
    const id = this.#unusedId();
    const connection = new PeerConnection({
      id,
      flow: allocation.flow,
      peer,
      port,
      socket,
      cluster,
      endpoint,
      traffic: [scope.traffic, allocation.usage.of(cluster)],
      closed: () => {
        this.#byId.delete(id);
        allocation.connections?.remove(connection);
      },
    });
    this.#byId.set(id, { allocation, connection });
    allocation.connections?.add(connection);
    return connection;
  }

  /** It must be unguessable: it is half of what a client needs to take the connection. */
  #unusedId(): number {
    for (;;) {
      const id = nearest(this.#numbers, randomBytes(4).readUInt32BE(0));
      if (id > 0 && id <= MAX_ID && !this.#byId.has(id)) return id;
    }
  }
}
