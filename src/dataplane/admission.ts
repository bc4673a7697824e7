/**
 * Which peers may be reached, and why not. Default deny. The only input is endpoint transitions; a listener asks with
 * the clusters that it routes.
 */
import type { DenialCode } from "../reasons.ts";
import { parseIp, type Family, type Ip } from "./address.ts";
import { bitsOf, parseEndpoint, type Endpoint } from "./endpoint.ts";
import { specialBlock } from "./special.ts";

/** How peers of a cluster are reached. */
export type PeerProtocol = "UDP" | "TCP";

export interface Transition {
  readonly change: "admit" | "drain" | "revoke";
  readonly cluster: string;
  readonly endpoint: string;
  /** UDP unless given. */
  readonly protocol?: PeerProtocol;
}

export type Verdict =
  | { readonly admitted: true; readonly cluster: string; readonly endpoint: string }
  | {
      readonly admitted: false;
      /** For logs, counters and the API alike. */
      readonly code: DenialCode;
      /** For people. */
      readonly reason: string;
    };

export type Denial = Extract<Verdict, { readonly admitted: false }>;

interface Entry {
  readonly cluster: string;
  readonly endpoint: Endpoint;
  readonly protocol: PeerProtocol;
}

/** An endpoint of a cluster. */
interface Admitted {
  readonly endpoint: Endpoint;
  readonly protocol: PeerProtocol;
  draining: boolean;
}

/** Endpoints by prefix length and prefix: a look-up costs one map access for each length in use. */
export class EndpointIndex {
  readonly #byLength: { readonly [F in Family]: Map<number, Map<bigint, Entry[]>> } = { 4: new Map(), 6: new Map() };

  add(cluster: string, endpoint: Endpoint, protocol: PeerProtocol = "UDP"): void {
    const lengths = this.#byLength[endpoint.family];
    let prefixes = lengths.get(endpoint.length);
    if (prefixes === undefined) lengths.set(endpoint.length, (prefixes = new Map()));
    const entries = prefixes.get(endpoint.prefix);
    if (entries === undefined) prefixes.set(endpoint.prefix, [{ cluster, endpoint, protocol }]);
    else entries.push({ cluster, endpoint, protocol });
  }

  remove(cluster: string, endpoint: Endpoint): void {
    const lengths = this.#byLength[endpoint.family];
    const prefixes = lengths.get(endpoint.length);
    const entries = prefixes?.get(endpoint.prefix);
    if (prefixes === undefined || entries === undefined) return;
    const at = entries.findIndex((entry) => entry.cluster === cluster && entry.endpoint.text === endpoint.text);
    if (at >= 0) entries.splice(at, 1);
    if (entries.length > 0) return;
    prefixes.delete(endpoint.prefix);
    if (prefixes.size === 0) lengths.delete(endpoint.length);
  }

  /** Endpoints whose prefix contains `ip` and is at least `minLength` bits long. */
  containing(ip: Ip, minLength = 0): readonly Entry[] {
    const found: Entry[] = [];
    const bits = bitsOf(ip.family);
    for (const [length, prefixes] of this.#byLength[ip.family]) {
      if (length < minLength) continue;
      const entries = prefixes.get(ip.value >> BigInt(bits - length));
      if (entries !== undefined) found.push(...entries);
    }
    return found;
  }
}

const maxRemembered = 1024;

export class Admission {
  readonly #index = new EndpointIndex();
  readonly #clusters = new Map<string, Map<string, Admitted>>();
  readonly #own: ReadonlySet<string>;
  readonly #revoked = new Set<string>();
  /** Changes whenever an answer may have changed; what was answered under another generation must be asked again. */
  generation = 0;

  /** `own`: addresses of the relay itself, canonical. Only an endpoint that names one exactly admits it. */
  constructor(own: readonly string[]) {
    this.#own = new Set(own);
  }

  apply(transitions: readonly Transition[]): void {
    for (const { change, cluster, endpoint: text, protocol = "UDP" } of transitions) {
      let endpoints = this.#clusters.get(cluster);
      const present = endpoints?.get(text);
      if (change === "revoke") {
        if (present === undefined || endpoints === undefined) continue;
        this.#index.remove(cluster, present.endpoint);
        endpoints.delete(text);
        if (endpoints.size === 0) this.#clusters.delete(cluster);
      } else if (present !== undefined) present.draining = change === "drain";
      else {
        const endpoint = parseEndpoint(text);
        if (endpoint === undefined) continue;
        if (endpoints === undefined) this.#clusters.set(cluster, (endpoints = new Map()));
        endpoints.set(text, { endpoint, protocol, draining: change === "drain" });
        this.#index.add(cluster, endpoint, protocol);
      }
    }
    if (transitions.length > 0) this.touch();
  }

  /** To be called when the routes of a listener changed. */
  touch(): void {
    this.generation++;
  }

  /** Whether `address` is an IP address that needs no naming to be admitted. */
  isOrdinary(address: string): boolean {
    const ip = parseIp(address);
    return ip !== undefined && !this.#own.has(ip.text) && specialBlock(ip) === undefined;
  }

  clusters(): Iterable<string> {
    return this.#clusters.keys();
  }

  /** The endpoints of `cluster` as they were written. */
  endpoints(cluster: string): ReadonlyMap<string, Pick<Admitted, "draining" | "protocol">> {
    return this.#clusters.get(cluster) ?? new Map();
  }

  /** `peer` was dropped by a revocation; until it is admitted again that is the answer to "why". */
  remember(peer: string): void {
    if (this.#revoked.size >= maxRemembered) this.#revoked.clear();
    this.#revoked.add(peer);
  }

  /**
   * Whether a listener that routes `routes` may reach `peer` over `protocol`. Without a port, any port will do. Every
   * routed cluster of that protocol is consulted.
   */
  check(
    listener: string,
    routes: ReadonlySet<string>,
    peer: Ip,
    port?: number,
    protocol: PeerProtocol = "UDP",
  ): Verdict {
    const own = this.#own.has(peer.text);
    const special = own ? { label: "the relay's own address", length: bitsOf(peer.family) } : specialBlock(peer);
    let outside: Entry | undefined;
    let other: Entry | undefined;
    for (const entry of this.#index.containing(peer, special?.length)) {
      if (!routes.has(entry.cluster)) continue;
      if (entry.protocol !== protocol) {
        other ??= entry;
        continue;
      }
      const { minPort, maxPort, text } = entry.endpoint;
      if (port === undefined || (port >= minPort && port <= maxPort)) {
        this.#revoked.delete(peer.text);
        return { admitted: true, cluster: entry.cluster, endpoint: text };
      }
      outside ??= entry;
    }
    const code = outside
      ? "port"
      : this.#revoked.has(peer.text)
        ? "revoked"
        : other
          ? "protocol"
          : own
            ? "own-address"
            : special
              ? "special-address"
              : "no-cluster";
    return { admitted: false, code, reason: this.#reason(listener, peer, port, special?.label, outside, other) };
  }

  #reason(
    listener: string,
    peer: Ip,
    port: number | undefined,
    special?: string,
    outside?: Entry,
    other?: Entry,
  ): string {
    if (outside !== undefined) {
      const { minPort, maxPort } = outside.endpoint;
      return `${peer.text} is in cluster ${outside.cluster} but port ${port} is outside ${minPort}-${maxPort}`;
    }
    if (this.#revoked.has(peer.text)) return "endpoint was revoked";
    if (other !== undefined) return `${peer.text} is in cluster ${other.cluster}, which is for ${other.protocol} alone`;
    if (special !== undefined) return `${peer.text} is ${special}: only an endpoint that names it admits it`;
    return `no cluster routed by listener ${listener} contains ${peer.text}`;
  }
}
