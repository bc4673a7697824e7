/**
 * Which peers may be reached, and why not. Default deny. The only input is endpoint transitions; a listener asks with
 * the clusters that it routes.
 */
import type { DenialCode } from "../reasons.ts";
import { parseIp, bitsOf, type Family, type Ip } from "../net/ip.ts";
import { parseEndpoint, type Endpoint } from "../net/endpoint.ts";
import type { OwnHost } from "./own-host.ts";
import { privateBlock, specialBlock } from "./special.ts";
import type { AdmissionTransition, PeerProtocol } from "./transition.ts";

export type Verdict =
  | { readonly admitted: true; readonly cluster: string; readonly endpoint: string }
  | {
      readonly admitted: false;
      /** For logs, counters and the API. */
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

const ownAddress = "the relay's own address";

const maxRemembered = 1024;

export class Admission {
  readonly #index = new EndpointIndex();
  readonly #clusters = new Map<string, Map<string, Admitted>>();
  readonly #host: OwnHost;
  readonly #deniesPrivate: boolean;
  readonly #revoked = new Set<string>();
  /** Changes whenever an answer may have changed; answers of another generation must be asked for again. */
  generation = 0;

  /**
   * @param host the relay's own machine; a wide prefix opens only a part of it. @param options.deniesPrivate so too private
   * addresses, of which `0.0.0.0/0` opens all otherwise: those of a cluster, mostly.
   */
  constructor(host: OwnHost, { deniesPrivate = false }: { readonly deniesPrivate?: boolean } = {}) {
    this.#host = host;
    this.#deniesPrivate = deniesPrivate;
  }

  apply(transitions: readonly AdmissionTransition[]): void {
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

  /** Call this when the routes of a listener changed. */
  touch(): void {
    this.generation++;
  }

  /** Whether `address` is an IP address that can be admitted without being named. */
  isOrdinary(address: string): boolean {
    const ip = parseIp(address);
    return ip !== undefined && !this.#host.has(ip.text) && specialBlock(ip) === undefined;
  }

  clusters(): Iterable<string> {
    return this.#clusters.keys();
  }

  /** The endpoints of `cluster`, in their original text. */
  endpoints(cluster: string): ReadonlyMap<string, Pick<Admitted, "draining" | "protocol">> {
    return this.#clusters.get(cluster) ?? new Map();
  }

  /** `peer` was dropped by a revocation; until it is admitted again this is the answer to "why". */
  remember(peer: string): void {
    if (this.#revoked.size >= maxRemembered) this.#revoked.clear();
    this.#revoked.add(peer);
  }

  /**
   * Whether a listener that routes `routes` may reach `peer` over `protocol`. Without a port, any port is sufficient. Every
   * routed cluster of that protocol is checked.
   */
  check(
    listener: string,
    routes: ReadonlySet<string>,
    peer: Ip,
    port?: number,
    protocol: PeerProtocol = "UDP",
  ): Verdict {
    const closed = this.#closedToWide(peer, port, protocol);
    let outside: Entry | undefined;
    let other: Entry | undefined;
    for (const entry of this.#index.containing(peer, closed?.length)) {
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
          : (closed?.code ?? "no-cluster");
    return { admitted: false, code, reason: this.#reason(listener, peer, port, closed?.label, outside, other) };
  }

  /**
   * Why a prefix that is wider than `length` does not admit `peer`; undefined if any prefix does. On the relay's own
   * machine a wide prefix opens datagrams to other programs (a media server on the host's network) and to relayed addresses
   * of other clients, even on loopback; but nothing over TCP, which is used to administer the machine, and no listener of
   * the relay.
   */
  #closedToWide(
    peer: Ip,
    port: number | undefined,
    protocol: PeerProtocol,
  ): { readonly code: DenialCode; readonly label: string; readonly length: number } | undefined {
    const host = this.#host;
    if (protocol === "UDP" && host.relaysAt(peer.text) && host.isRelayed(peer.family, port)) return undefined;
    const special = specialBlock(peer);
    const bits = bitsOf(peer.family);
    const isPrivate = special === undefined && this.#deniesPrivate ? privateBlock(peer) : undefined;
    if (!host.has(peer.text)) {
      if (isPrivate !== undefined) return { code: "private-address", ...isPrivate };
      return special && { code: "special-address", ...special };
    }
    if (special !== undefined) return { code: "own-address", label: ownAddress, length: bits };
    if (protocol === "TCP") return { code: "own-address", label: `${ownAddress}, over TCP`, length: bits };
    if (port === undefined || !host.isListening(port)) return undefined;
    return { code: "own-address", label: `${ownAddress}, and port ${port} a listener's`, length: bits };
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
