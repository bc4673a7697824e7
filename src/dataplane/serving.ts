/** A listener in service: its sockets, its routes, and the allocations made through it. */
import { monotonicMs } from "../clock.ts";
import { refusals, type DropCode, type RefusalCode } from "../reasons.ts";
import { formatAddress } from "../net/address.ts";
import { type Family, type Ip } from "../net/ip.ts";
import type { Denial, PeerProtocol, Verdict } from "../admission/admission.ts";
import { Allocation, type AllocationOptions, type AllocationScope, type Owner } from "./allocation.ts";
import type { Shared } from "./shared.ts";
import { noTraffic, type Traffic } from "./flows.ts";
import type { Gateway } from "./gateway.ts";
import { Bandwidth, Budget } from "./bandwidth.ts";
import { amplification, type Limits } from "./limits.ts";
import { TokenBucket } from "./token-bucket.ts";
import {
  fiveTuple,
  noCounts,
  type ListenerOwner,
  type ListenerPath,
  type Material,
  type OpenListener,
} from "./listeners/listener.ts";
import { listenDtls } from "./listeners/dtls.ts";
import { listenTcp } from "./listeners/tcp.ts";
import { listenTls } from "./listeners/tls.ts";
import { listenUdp } from "./listeners/udp.ts";
import { placeListener, type Placement, type RelayAddress } from "./placement.ts";
import type { ListenerState } from "./relay.ts";
import type { ListenerConfig } from "../resources/dataplane-config.ts";
import { isSigned } from "../stun/message.ts";
import { receive } from "./requests/dispatch.ts";
import { failure, type Answer } from "./requests/exchange.ts";

/** Answers a second that may be longer than anti-amplification allows. */
const longAnswersPerSecond = 200;

/** What every client is answered first. */
const ordinary: ReadonlySet<RefusalCode> = new Set(["401 challenge"]);

const clientOf = ({ client }: ListenerPath): string => formatAddress(client.address, client.port);

/** @throws where the config has no certificate. */
const materialOf = ({ cert, key }: ListenerConfig): Material => {
  if (!cert || !key) throw new Error("there is no certificate with a key");
  return { certificate: Buffer.from(cert, "base64"), key: Buffer.from(key, "base64") };
};

export class Serving implements AllocationScope, ListenerOwner {
  readonly shared: Shared;
  readonly gateway: Gateway;
  readonly name: string;
  readonly traffic = noTraffic();
  readonly counts = noCounts();
  config: ListenerConfig;
  routes: ReadonlySet<string>;
  failure: string | undefined;
  #open: OpenListener | undefined;
  #placement: Placement = { bind: [], relay: {} };
  #isClosed = false;
  readonly #budget: Budget | undefined;
  readonly #requests: TokenBucket | undefined;
  readonly #longAnswers = new TokenBucket(longAnswersPerSecond, longAnswersPerSecond);

  constructor(shared: Shared, gateway: Gateway, config: ListenerConfig) {
    this.shared = shared;
    this.gateway = gateway;
    this.name = config.name;
    this.config = config;
    this.routes = gateway.routesOf(config.name);
    const { listenerBytesPerSecond: bytes, listenerRequestsPerSecond: requests } = shared.limits;
    this.#budget = bytes > 0 ? new Budget(bytes) : undefined;
    this.#requests = requests > 0 ? new TokenBucket(requests, requests) : undefined;
  }

  get limits(): Limits {
    return this.shared.limits;
  }

  get proxyProtocol(): boolean {
    return this.shared.options.proxyProtocol === true;
  }

  bandwidthOf({ account }: Owner): Bandwidth | undefined {
    const user = this.gateway.users.budgetOf(account);
    return user === undefined && this.#budget === undefined
      ? undefined
      : new Bandwidth(this.shared.clock, user, this.#budget);
  }

  get gate(): { readonly generation: number } {
    return this.gateway.admission;
  }

  get drops() {
    return this.shared.drops;
  }

  get canSendWhole(): boolean {
    return this.shared.engine.canSendWhole;
  }

  get relayed() {
    return this.shared.host.relayed;
  }

  get permissions() {
    return this.gateway.permissions;
  }

  get at(): readonly string[] {
    return this.#open?.at ?? [];
  }

  /** Where relayed transport addresses of `family` are; nothing where there are none. */
  relayAddress(family: Family): RelayAddress | undefined {
    return this.#placement.relay[family];
  }

  /** Takes over what changed without a restart. Says what could not be: then it serves as before. */
  adopt(config: ListenerConfig): string | undefined {
    const isRenewed = config.cert !== this.config.cert || config.key !== this.config.key;
    this.config = config;
    this.routes = this.gateway.routesOf(config.name);
    this.gateway.admission.touch();
    if (!isRenewed) return undefined;
    try {
      this.#open?.renew?.(materialOf(config));
      return undefined;
    } catch (error) {
      return `the certificate is not renewed: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** Binds the sockets; rejects when one cannot be bound. */
  async start(): Promise<void> {
    const { protocol, port } = this.config;
    this.#placement = placeListener(this.shared.options.place, this.config);
    const { bind, relay } = this.#placement;
    for (const at of [relay[4], relay[6]]) if (at !== undefined) this.shared.host.relay(at.told);
    const { engine } = this.shared;
    switch (protocol) {
      case "TURN-UDP":
        this.#open = await listenUdp(engine, bind, port, this.traffic, this);
        break;
      case "TURN-TCP":
        this.#open = await listenTcp(bind, port, this.traffic, this);
        break;
      case "TURN-TLS":
        this.#open = await listenTls(bind, port, this.traffic, this, materialOf(this.config));
        break;
      case "TURN-DTLS":
        this.#open = await listenDtls(engine, bind, port, this.traffic, this, materialOf(this.config));
        break;
      default:
        protocol satisfies never;
    }
  }

  /** Closes the sockets and the allocations made through them; resolves to the number of those. */
  async stop(reason: string): Promise<number> {
    this.#isClosed = true;
    let closed = 0;
    for (const { allocation, serving } of this.shared.allocations.values())
      if (serving === this) {
        this.close(allocation, reason);
        closed++;
      }
    await this.#open?.close();
    return closed;
  }

  state(): ListenerState {
    return {
      gateway: this.gateway.name,
      name: this.name,
      protocol: this.config.protocol,
      state: this.failure === undefined ? "serving" : "failed",
      at: this.at,
      ...(this.failure !== undefined && { reason: this.failure }),
      routes: [...this.routes],
      ...this.counts,
      connectionsTotal: this.counts.connections,
      connections: this.#open?.connections() ?? 0,
      kernelDrops: this.#open?.kernelDrops?.() ?? 0,
      ...this.traffic,
    };
  }

  check(protocol: PeerProtocol, peer: Ip, port?: number): Verdict {
    return this.gateway.admission.check(this.name, this.routes, peer, port, protocol);
  }

  isLocal(address: string): boolean {
    return this.shared.host.relaysAt(address);
  }

  clusterTraffic(cluster: string): Traffic {
    return this.gateway.clusterTraffic(cluster);
  }

  refused = (allocation: Allocation, peer: string, { code, reason }: Denial): void => {
    this.shared.denied.add(code);
    const client = clientOf(allocation.path);
    const suppressed = this.shared.toldPeers.take(`${client} ${peer} ${reason}`, monotonicMs());
    if (suppressed === undefined) return;
    this.shared.events.next({
      event: "peer.refused",
      gateway: this.gateway.name,
      listener: this.name,
      client,
      user: allocation.owner.userId,
      peer,
      code,
      reason,
      suppressed,
    });
  };

  /** A request is answered with an error. Whose it is may be anybody's word, so no name is told. */
  refusedRequest(path: ListenerPath, code: RefusalCode): void {
    this.shared.refused.add(code);
    if (!this.shared.log.isLevelEnabled("debug") || ordinary.has(code)) return;
    const client = clientOf(path);
    const suppressed = this.shared.toldRequests.take(`${client} ${code}`, monotonicMs());
    if (suppressed === undefined) return;
    const { what: reason } = refusals[code];
    this.shared.log.debug(
      { gateway: this.gateway.name, listener: this.name, client, code, reason, suppressed },
      "request refused",
    );
  }

  get isBusy(): boolean {
    return this.shared.control.isBusy;
  }

  whenCalm(then: () => void): void {
    this.shared.control.whenCalm(then);
  }

  message = (bytes: Buffer, path: ListenerPath): void => {
    if (this.#requests?.take(monotonicMs()) === false) this.dropped("listener-requests");
    else if (!this.shared.control.do(() => this.#receive(bytes, path), isSigned(bytes)))
      this.dropped("control-backlog");
  };

  #receive(bytes: Buffer, path: ListenerPath): void {
    if (this.#isClosed) return;
    try {
      receive(this, bytes, path);
    } catch (error) {
      // Not to be reached; but whatever one client sends, the others are served on.
      this.shared.dropped.add("internal");
      this.shared.log.error({ err: error, listener: this.name }, "a message could not be handled");
    }
  }

  gone = (path: ListenerPath): void => {
    const key = fiveTuple(path);
    const claim = this.shared.claims.get(key);
    if (claim !== undefined) claim.isWanted = false;
    const held = this.shared.allocations.get(key);
    if (held !== undefined) this.close(held.allocation, "client closed the connection");
  };

  dropped = (reason: DropCode): void => this.shared.dropped.add(reason);

  failed = (reason: string): void => {
    this.failure = reason;
    this.shared.log.error({ listener: this.name, reason }, "a listener failed");
    this.shared.events.next({ event: "listener.failed", gateway: this.gateway.name, listener: this.name, reason });
  };

  /** Takes a place for an allocation that is being made; the answer says why there is none. */
  claim(path: ListenerPath, { account }: Owner): Answer | undefined {
    const { allocations, claims, limits } = this.shared;
    const { users, config } = this.gateway;
    if (allocations.size + claims.size >= limits.maxAllocations) return failure("508 allocations");
    if (config.userQuota > 0 && users.allocationsOf(account) >= config.userQuota) return failure("486 quota");
    users.hold(account);
    claims.set(fiveTuple(path), { isWanted: true });
    return undefined;
  }

  /** Whether the user may have one more allocation, counting those of all workers. */
  async take({ account }: Owner): Promise<boolean> {
    const { userQuota } = this.gateway.config;
    if (userQuota === 0) return true;
    return (await this.shared.options.quota?.take(this.gateway.name, account, userQuota)) ?? true;
  }

  /** Undoes `take`. */
  giveBack({ account }: Owner): void {
    this.shared.options.quota?.give(this.gateway.name, account);
  }

  /** Gives the place back; false when nobody waits for the allocation any more. */
  unclaim(path: ListenerPath, { account }: Owner): boolean {
    const key = fiveTuple(path);
    const isWanted = this.shared.claims.get(key)?.isWanted ?? false;
    this.shared.claims.delete(key);
    this.gateway.users.release(account, monotonicMs());
    return isWanted && !this.#isClosed;
  }

  open(options: Omit<AllocationOptions, "id">): Allocation {
    this.gateway.users.hold(options.owner.account);
    const allocation = new Allocation(this, { ...options, id: this.shared.nextId() });
    this.shared.allocations.set(fiveTuple(options.path), { allocation, serving: this });
    this.shared.opened.add(`${options.path.protocol} ${allocation.protocol === "TCP" ? "tcp" : "udp"}`);
    this.shared.events.next({ event: "allocation.opened", ...this.#describe(allocation) });
    return allocation;
  }

  close(allocation: Allocation, reason: string): void {
    const key = fiveTuple(allocation.path);
    if (this.shared.allocations.get(key)?.allocation !== allocation) return;
    const described = this.#describe(allocation);
    this.shared.allocations.delete(key);
    this.shared.closed.add(reason);
    allocation.close();
    this.gateway.users.release(allocation.owner.account, monotonicMs());
    this.giveBack(allocation.owner);
    this.shared.events.next({ event: "allocation.closed", ...described, reason, ...allocation.flow.traffic });
  }

  #describe({ id, owner, path, relays }: Allocation) {
    return {
      gateway: this.gateway.name,
      listener: this.name,
      id,
      user: owner.userId,
      client: formatAddress(path.client.address, path.client.port),
      relayed: relays.map(({ address, port }) => formatAddress(address, port)).join(", "),
    };
  }

  /** Sends an answer to somebody who proved nothing: over UDP the source address may be a victim's. */
  reply(path: ListenerPath, request: Buffer, bytes: Buffer): void {
    const isLong = path.protocol === "udp" && bytes.length > amplification * request.length;
    if (isLong && !this.#longAnswers.take(monotonicMs())) this.shared.dropped.add("amplification");
    else this.send(path, bytes);
  }

  /** Sends an answer to somebody who proved who they are. */
  send(path: ListenerPath, bytes: Buffer): void {
    this.traffic.packetsOut++;
    this.traffic.bytesOut += bytes.length;
    path.send(bytes, 0, bytes.length, false);
  }
}
