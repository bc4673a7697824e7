/** The addresses and ports of this machine that a running relay uses, as its listeners and allocations come and go. */
import { parseIp, type Family } from "../net/ip.ts";
import type { OwnHost } from "../admission/own-host.ts";
import { RelayedPorts } from "./relayed-ports.ts";

export class RelayHost implements OwnHost {
  readonly #addresses: ReadonlySet<string>;
  readonly relayed: RelayedPorts;
  readonly #relayAddresses = new Set<string>();
  /** Datagram ports of listeners, by gateway. */
  readonly #listening = new Map<string, ReadonlySet<number>>();

  constructor(addresses: readonly string[], relayed = new RelayedPorts()) {
    this.#addresses = new Set(addresses.map((address) => parseIp(address)?.text ?? address));
    this.relayed = relayed;
  }

  has(address: string): boolean {
    return this.#addresses.has(address) || this.#relayAddresses.has(address);
  }

  relaysAt(address: string): boolean {
    return this.#relayAddresses.has(address);
  }

  isRelayed(family: Family, port?: number): boolean {
    return port === undefined ? this.relayed.count(family) > 1 : this.relayed.has(family, port);
  }

  isListening(port: number): boolean {
    for (const ports of this.#listening.values()) if (ports.has(port)) return true;
    return false;
  }

  /** Relayed transport addresses will be at `address`. */
  relay(address: string): void {
    this.#relayAddresses.add(address);
  }

  /** Sets the datagram ports of listeners of `gateway`; returns whether that changes anything. */
  listen(gateway: string, ports: readonly number[]): boolean {
    const before = this.#listening.get(gateway) ?? new Set();
    const next = new Set(ports);
    if (next.size === 0) this.#listening.delete(gateway);
    else this.#listening.set(gateway, next);
    return before.size !== next.size || ports.some((port) => !before.has(port));
  }
}
