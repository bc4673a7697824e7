/** A listener that is open: its sockets and routes, what requests use of it, and what its allocations ask of it. */
import type { Socket } from "node:net";
import { messageOf } from "../errors.ts";
import { monotonicMs } from "../clock.ts";
import { refusals, type DropCode, type RefusalCode } from "../reasons.ts";
import { formatAddress, type TransportAddress } from "../net/address.ts";
import { formatHostPort } from "../net/host-port.ts";
import type { Family, Ip } from "../net/ip.ts";
import type { Denial, Verdict } from "../admission/admission.ts";
import type { PeerProtocol } from "../admission/transition.ts";
import type { Allocation, Owner } from "./allocation.ts";
import type { RelayContext } from "./relay-context.ts";
import { noTraffic, type Traffic } from "./flows.ts";
import type { Gateway } from "./gateway.ts";
import { Bandwidth, Budget } from "./bandwidth.ts";
import { amplification, type Limits } from "./limits.ts";
import { TokenBucket } from "./token-bucket.ts";
import {
  noCounts,
  type ListenerOwner,
  type ListenerPath,
  type Material,
  type Materials,
  type OpenListener,
} from "./listeners/listener.ts";
import { httpBackendOf, type HttpBackend } from "./listeners/http-backend.ts";
import type { Addresses } from "./listeners/proxied.ts";
import type { ProxyAddresses } from "./listeners/proxy-header.ts";
import { Splices } from "./listeners/splice.ts";
import { listenDtls } from "./listeners/dtls.ts";
import { listenTcp } from "./listeners/tcp.ts";
import { listenTls } from "./listeners/tls.ts";
import { listenUdp } from "./listeners/udp.ts";
import { createBalancers } from "./listeners/balancers.ts";
import { listenUdpProxied } from "./listeners/udp-proxied.ts";
import { placeListener, type Placement, type RelayAddress } from "./placement.ts";
import type { ListenerState } from "./relay.ts";
import type { CertificateConfig, ListenerConfig } from "../resources/dataplane-config.ts";
import { sameCertificates } from "./config.ts";
import { isSigned } from "../stun/message.ts";
import { receive } from "./requests/dispatch.ts";
import type { RequestContext } from "./requests/exchange.ts";

/** Answers per second that may exceed the anti-amplification limit. */
const longAnswersPerSecond = 200;

/** XOR-MAPPED-ADDRESS of IPv6: how much longer the answer to a Binding request is than the request. */
const MAPPED_ADDRESS_BYTES = 24;

/** The first answer that every client gets. */
const ordinary: ReadonlySet<RefusalCode> = new Set(["401 challenge"]);

const clientOf = ({ client }: ListenerPath): string => formatAddress(client.address, client.port);

const materialOf = ({ cert, key }: CertificateConfig): Material => ({
  certificate: Buffer.from(cert, "base64"),
  key: Buffer.from(key, "base64"),
});

/** @throws if the config has no certificate. */
const materialsOf = ({ cert, key, certificates = [] }: ListenerConfig): Materials => {
  if (!cert || !key) throw new Error("there is no certificate with a key");
  return { first: materialOf({ cert, key }), further: certificates.map(materialOf) };
};

export class ActiveListener implements RequestContext, ListenerOwner {
  readonly relay: RelayContext;
  readonly gateway: Gateway;
  readonly name: string;
  readonly traffic = noTraffic();
  readonly counts = noCounts();
  config: ListenerConfig;
  routes: ReadonlySet<string>;
  failure: string | undefined;
  isClosed = false;
  backend: HttpBackend | undefined;
  #open: OpenListener | undefined;
  readonly #splices = new Splices(this);
  #placement: Placement = { bind: [], relay: {} };
  readonly #budget: Budget | undefined;
  readonly #requests: TokenBucket | undefined;
  readonly #longAnswers = new TokenBucket(longAnswersPerSecond, longAnswersPerSecond);

  constructor(relay: RelayContext, gateway: Gateway, config: ListenerConfig) {
    this.relay = relay;
    this.gateway = gateway;
    this.name = config.name;
    this.config = config;
    this.backend = httpBackendOf(config);
    this.routes = gateway.routesOf(config.name);
    const { listenerBytesPerSecond: bytes, listenerRequestsPerSecond: requests } = relay.limits;
    this.#budget = bytes > 0 ? new Budget(bytes) : undefined;
    this.#requests = requests > 0 ? new TokenBucket(requests, requests) : undefined;
  }

  get limits(): Limits {
    return this.relay.limits;
  }

  get streams() {
    return this.relay.options.streams;
  }

  get natDiscovery(): boolean {
    return this.relay.options.natDiscovery === true;
  }

  get proxyProtocol(): boolean {
    return this.relay.options.proxyProtocol === true;
  }

  get isStunOnly(): boolean {
    return this.gateway.config.auth.type === "none";
  }

  splice(client: Socket, addresses: ProxyAddresses): void {
    this.#splices.take(client, addresses);
  }

  bandwidthOf({ account }: Owner): Bandwidth | undefined {
    const user = this.gateway.users.budgetOf(account);
    return user === undefined && this.#budget === undefined
      ? undefined
      : new Bandwidth(this.relay.clock, user, this.#budget);
  }

  get gate(): { readonly generation: number } {
    return this.gateway.admission;
  }

  get drops() {
    return this.relay.drops;
  }

  get canSetDontFragment(): boolean {
    return this.relay.engine.canSetDontFragment;
  }

  get offload() {
    return this.relay.offload;
  }

  get relayed() {
    return this.relay.host.relayed;
  }

  get permissions() {
    return this.gateway.permissions;
  }

  get at(): readonly string[] {
    return this.#open?.at ?? [];
  }

  /** What of it does not work, although it serves. */
  get fault(): string | undefined {
    const faults = this.#open?.faults?.() ?? [];
    return faults.length === 0 ? undefined : faults.join("; ");
  }

  /** Where relayed transport addresses of `family` are bound; undefined if there are none. */
  relayAddress(family: Family): RelayAddress | undefined {
    return this.#placement.relay[family];
  }

  /** Applies changes that need no restart. Logs what failed; the listener then serves as before. */
  adopt(config: ListenerConfig): string | undefined {
    const isRenewed = !sameCertificates(config, this.config);
    this.config = config;
    this.backend = httpBackendOf(config);
    this.routes = this.gateway.routesOf(config.name);
    this.gateway.touch();
    if (!isRenewed) return undefined;
    try {
      this.#open?.renew?.(materialsOf(config));
      return this.fault;
    } catch (error) {
      return `the certificate is not renewed: ${messageOf(error)}`;
    }
  }

  /** Takes a stream that another thread's listener of this name accepted. */
  takeStream(socket: Socket, addresses: Addresses): void {
    if (this.#open?.take === undefined) socket.destroy();
    else this.#open.take(socket, addresses);
  }

  /** Binds the sockets; rejects when one cannot be bound. */
  async start(): Promise<void> {
    const { protocol, port } = this.config;
    const { place, advertise } = this.relay.options;
    this.#placement = placeListener(place, this.config, advertise);
    const { bind, relay } = this.#placement;
    for (const at of [relay[4], relay[6]]) if (at !== undefined) this.relay.host.relay(at.advertised);
    const { engine, options } = this.relay;
    const { udpBalancers = [] } = options;
    switch (protocol) {
      case "TURN-UDP":
        this.#open =
          udpBalancers.length === 0
            ? await listenUdp(engine, bind, port, this.traffic, this)
            : await listenUdpProxied(engine, bind, port, this.traffic, this, createBalancers(udpBalancers));
        break;
      case "TURN-TCP":
        this.#open = await listenTcp(engine, bind, port, this.traffic, this);
        break;
      case "TURN-TLS":
        this.#open = await listenTls(engine, bind, port, this.traffic, this, materialsOf(this.config));
        break;
      case "TURN-DTLS":
        this.#open = await listenDtls(engine, bind, port, this.traffic, this, materialsOf(this.config));
        break;
      default:
        protocol satisfies never;
    }
  }

  /** Closes the sockets and the allocations made through them; resolves to the number of those. */
  async stop(reason: string): Promise<number> {
    this.isClosed = true;
    const closed = this.relay.allocations.closeOf(this, reason);
    this.#splices.close();
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
      httpConnections: this.#splices.open,
      httpConnectionsTotal: this.#splices.total,
      kernelDrops: this.#open?.kernelDrops?.() ?? 0,
      ...this.traffic,
    };
  }

  check(protocol: PeerProtocol, peer: Ip, port?: number): Verdict {
    return this.gateway.admission.check(this.name, this.routes, peer, port, protocol);
  }

  isLocal(address: string): boolean {
    return this.relay.host.relaysAt(address);
  }

  countClosed(cluster: string, traffic: Traffic): void {
    this.gateway.countClosed(cluster, traffic);
  }

  refused = (allocation: Allocation, peer: string, { code, reason }: Denial): void => {
    this.relay.denied.add(code);
    const client = clientOf(allocation.path);
    const suppressed = this.relay.peerThrottle.take(`${client} ${peer} ${reason}`, monotonicMs());
    if (suppressed === undefined) return;
    this.relay.events.next({
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

  /** An error answer. The sender may be forged, so the log names no user. */
  refusedRequest(path: ListenerPath, code: RefusalCode): void {
    this.relay.refused.add(code);
    if (!this.relay.log.isLevelEnabled("debug") || ordinary.has(code)) return;
    const client = clientOf(path);
    const suppressed = this.relay.requestThrottle.take(`${client} ${code}`, monotonicMs());
    if (suppressed === undefined) return;
    const { what: reason } = refusals[code];
    this.relay.log.debug(
      { gateway: this.gateway.name, listener: this.name, client, code, reason, suppressed },
      "request refused",
    );
  }

  redirected(path: ListenerPath, { userId: user }: Owner, { address, port }: TransportAddress): void {
    const client = clientOf(path);
    const suppressed = this.relay.redirectThrottle.take(client, monotonicMs());
    if (suppressed === undefined) return;
    const [gateway, listener, server] = [this.gateway.name, this.name, formatAddress(address, port)];
    this.relay.events.next({ event: "client.redirected", gateway, listener, client, user, server, suppressed });
  }

  get isBusy(): boolean {
    return this.relay.control.isBusy;
  }

  whenCalm(then: () => void): void {
    this.relay.control.whenCalm(then);
  }

  message = (bytes: Buffer, path: ListenerPath): void => {
    if (this.#requests?.take(monotonicMs()) === false) this.dropped("listener-requests");
    else if (!this.relay.control.do(() => this.#receive(bytes, path), isSigned(bytes))) this.dropped("control-backlog");
  };

  #receive(bytes: Buffer, path: ListenerPath): void {
    if (this.isClosed) return;
    try {
      receive(this, bytes, path);
    } catch (error) {
      // Should not happen; but no input of one client may stop the listener for the others.
      this.relay.dropped.add("internal");
      this.relay.log.error({ err: error, listener: this.name }, "a message could not be handled");
    }
  }

  gone = (path: ListenerPath): void => this.relay.allocations.abandon(path);

  dropped = (reason: DropCode): void => this.relay.dropped.add(reason);

  backendFailed({ host, port }: HttpBackend, reason: string): void {
    this.dropped("http-backend");
    const backend = formatHostPort({ host, port });
    const suppressed = this.relay.requestThrottle.take(`${this.name} ${backend}`, monotonicMs());
    if (suppressed === undefined) return;
    this.relay.log.warn({ listener: this.name, backend, reason, suppressed }, "the HTTP backend accepts no connection");
  }

  failed = (reason: string): void => {
    this.failure = reason;
    this.relay.log.error({ listener: this.name, reason }, "a listener failed");
    this.relay.events.next({ event: "listener.failed", gateway: this.gateway.name, listener: this.name, reason });
  };

  /** Sends an answer to an unauthenticated client: over UDP the source address may be a victim's. */
  reply(path: ListenerPath, request: Buffer, bytes: Buffer): void {
    const refused = path.protocol === "udp" ? this.#exceeds(path, request.length, bytes.length) : undefined;
    if (refused === undefined) this.send(path, bytes);
    else this.relay.dropped.add(refused);
  }

  /** Why an answer of `answered` bytes to a request of `asked` bytes is too long. */
  #exceeds({ client }: ListenerPath, asked: number, answered: number): DropCode | undefined {
    if (answered <= asked) return undefined;
    const now = monotonicMs();
    const kind = answered <= asked + MAPPED_ADDRESS_BYTES ? "binding" : "challenge";
    if (!this.relay.unproven.take(client.address, kind, now)) return "unproven";
    return answered <= amplification * asked || this.#longAnswers.take(now) ? undefined : "amplification";
  }

  /** Sends an answer to an authenticated client. */
  send(path: ListenerPath, bytes: Buffer): void {
    this.traffic.packetsOut++;
    this.traffic.bytesOut += bytes.length;
    path.send(bytes, 0, bytes.length, false);
  }
}
