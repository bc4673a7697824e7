/** The redirections that one client follows (RFC 8489 §10): to no server twice, and only a few, so there is no loop. */
import { formatAddress, type TransportAddress } from "../net/address.ts";

const MAX_REDIRECTIONS = 4;

export class Redirections {
  readonly #asked = new Set<string>();
  #followed = 0;

  /**
   * The server to ask next, if `from` answered 300 with `to` as ALTERNATE-SERVER; undefined if the client must not follow.
   * @param from undefined if its address is unknown.
   */
  next(from: TransportAddress | undefined, to: TransportAddress | undefined): TransportAddress | undefined {
    if (from !== undefined) this.#asked.add(formatAddress(from.address, from.port));
    if (to === undefined || this.#followed === MAX_REDIRECTIONS) return undefined;
    const name = formatAddress(to.address, to.port);
    if (this.#asked.has(name)) return undefined;
    this.#asked.add(name);
    this.#followed += 1;
    return to;
  }
}
