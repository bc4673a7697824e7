/** Permissions by peer address: a revocation searches this instead of every allocation. */
import type { Ip } from "../net/ip.ts";

export class PermissionIndex<Permission extends { readonly peer: Ip }> {
  readonly #byPeer = new Map<string, Set<Permission>>();

  add(permission: Permission): void {
    const present = this.#byPeer.get(permission.peer.text);
    if (present === undefined) this.#byPeer.set(permission.peer.text, new Set([permission]));
    else present.add(permission);
  }

  remove(permission: Permission): void {
    const present = this.#byPeer.get(permission.peer.text);
    present?.delete(permission);
    if (present?.size === 0) this.#byPeer.delete(permission.peer.text);
  }

  /** Peer addresses that have a permission, each with all of them. */
  peers(): Iterable<ReadonlySet<Permission>> {
    return this.#byPeer.values();
  }
}
