/**
 * A TURN client over UDP, TCP, TLS or DTLS, enough to probe a relay and to test one.
 *
 * @example
 * const client = await TurnClient.connect({ host: "192.0.2.1", port: 3478, username: "user-1", password: "pass-1" });
 * const { relayed } = await client.allocate();
 * await client.channelBind(0x4000, { address: "10.0.0.7", port: 9000 });
 * client.sendChannel(0x4000, Buffer.from("ping"));
 * const { data } = await client.receive();
 */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { TransportAddress } from "../net/address.ts";
import { addressFamily, attribute, connectionIdValue } from "../stun/attributes.ts";
import { decode, encode } from "./codec.ts";
import { method, type Attribute, type Message } from "../stun/message.ts";
import type { HmacSha1 } from "../stun/hmac-sha1.ts";
import { integrityIsValid, longTermKey } from "../stun/integrity.ts";
import { Inbox, type Received } from "./inbox.ts";
import { Redirections } from "./redirections.ts";
import { Transactions, type TransactionTiming } from "./transactions.ts";
import { openDtls, openTcp, openTls, openUdp, type Receiver, type Transport, type Verification } from "./transport.ts";

export interface TurnClientOptions extends Verification, TransactionTiming {
  readonly host: string;
  readonly port: number;
  /** Or a function that opens another transport. */
  readonly transport?: TransportName | ((receiver: Receiver) => Transport);
  readonly username?: string;
  readonly password?: string;
  /** Receives packets of peers as they arrive; `receive` then does not return them. */
  readonly onReceived?: (received: Received) => void;
  /** The connection has ended; not called when it was closed from this side. */
  readonly onClosed?: (reason: string) => void;
}

export type TransportName = "udp" | "tcp" | "tls" | "dtls";

export interface AllocateOptions {
  /** Seconds. */
  readonly lifetime?: number;
  readonly family?: "ipv4" | "ipv6";
  /** Requests an IPv6 address in addition to the IPv4 one. */
  readonly dual?: boolean;
  /** Requests an even port; `reserve` also requests the next one. */
  readonly evenPort?: "single" | "reserve";
  readonly reservationToken?: Buffer;
  /** How peers are reached: `udp`, or `tcp` by connections (RFC 6062). */
  readonly peers?: "udp" | "tcp";
  /** Asks whether the server can set the DF bit. */
  readonly dontFragment?: boolean;
}

export interface Allocated {
  readonly relayed: readonly TransportAddress[];
  readonly mapped: TransportAddress | undefined;
  /** Seconds. */
  readonly lifetime: number;
  readonly addressError?: { readonly family: number; readonly code: number };
  readonly reservationToken?: Buffer;
}

/** The server rejected a request. */
export class TurnResponseError extends Error {
  readonly code: number;
  readonly response: Message;

  constructor(code: number, what: string, response: Message) {
    super(`${what} was refused with ${code}`);
    this.name = "TurnResponseError";
    this.code = code;
    this.response = response;
  }
}

const open = (options: TurnClientOptions, receiver: Receiver): Transport | Promise<Transport> => {
  const { host, port, transport = "udp", timeoutMilliseconds } = options;
  if (typeof transport === "function") return transport(receiver);
  switch (transport) {
    case "udp":
      return openUdp(host, port, receiver);
    case "tcp":
      return openTcp(host, port, receiver, timeoutMilliseconds);
    case "tls":
      return openTls(host, port, receiver, options, timeoutMilliseconds);
    case "dtls":
      return openDtls(host, port, receiver, options, timeoutMilliseconds);
    default:
      return transport satisfies never;
  }
};

export class TurnClient {
  #options: TurnClientOptions;
  readonly #transactions: Transactions;
  readonly #inbox = new Inbox();
  readonly #channels = new Map<number, TransportAddress>();
  readonly #redirections = new Redirections();
  /** Counts the transports: an earlier one may still report that it is closed. */
  #generation = 0;
  #transport: Transport | undefined;
  #closed: string | undefined;
  #realm: string | undefined;
  #nonce: string | undefined;

  private constructor(options: TurnClientOptions) {
    this.#options = options;
    this.#transactions = new Transactions(options);
  }

  /** Opens the transport; no request is sent yet. */
  static async connect(options: TurnClientOptions): Promise<TurnClient> {
    const client = new TurnClient(options);
    client.#transport = await client.#open();
    return client;
  }

  async #open(): Promise<Transport> {
    const generation = (this.#generation += 1);
    return open(this.#options, {
      message: (bytes) => {
        if (generation === this.#generation) this.#receive(bytes);
      },
      closed: (reason) => {
        if (generation !== this.#generation) return;
        const isNews = this.#closed === undefined;
        this.#end(reason);
        if (isNews) this.#options.onClosed?.(reason);
      },
    });
  }

  get local(): TransportAddress {
    return this.#transport?.local ?? { address: "", port: 0 };
  }

  /** The nonce of requests, once the server has sent one. */
  get nonce(): string | undefined {
    return this.#nonce;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** The address that the server sees. */
  async binding(): Promise<TransportAddress | undefined> {
    return (await this.#transact(method.binding, [], false)).mapped;
  }

  /** The server that answers: another one after a redirection. */
  get server(): TransportAddress | undefined {
    return this.#transport?.remote;
  }

  /**
   * Follows redirections to other servers, unless the transport was opened elsewhere.
   * @throws TurnResponseError with the server's error code, here and below.
   */
  async allocate(options: AllocateOptions = {}): Promise<Allocated> {
    const { lifetime, family, dual, evenPort, reservationToken, peers = "udp", dontFragment } = options;
    const response = await this.#allocateAnywhere([
      { type: attribute.requestedTransport, value: (peers === "udp" ? 17 : 6) * 0x1000000 },
      ...(dontFragment === true ? [{ type: attribute.dontFragment, raw: Buffer.alloc(0) }] : []),
      ...(lifetime === undefined ? [] : [{ type: attribute.lifetime, value: lifetime }]),
      ...(family === undefined
        ? []
        : [{ type: attribute.requestedAddressFamily, raw: Buffer.from([addressFamily[family], 0, 0, 0]) }]),
      ...(dual === true
        ? [{ type: attribute.additionalAddressFamily, raw: Buffer.from([addressFamily.ipv6, 0, 0, 0]) }]
        : []),
      ...(evenPort === undefined
        ? []
        : [{ type: attribute.evenPort, value: Buffer.from([evenPort === "reserve" ? 0x80 : 0]) }]),
      ...(reservationToken === undefined ? [] : [{ type: attribute.reservationToken, value: reservationToken }]),
    ]);
    return {
      relayed: response.relayed,
      mapped: response.mapped,
      lifetime: response.lifetime ?? 0,
      ...(response.addressError && { addressError: response.addressError }),
      ...(response.reservationToken && { reservationToken: response.reservationToken }),
    };
  }

  /** Resolves to the granted lifetime in seconds; 0 deletes the allocation. */
  async refresh(seconds?: number): Promise<number> {
    const attributes = seconds === undefined ? [] : [{ type: attribute.lifetime, value: seconds }];
    return (await this.request(method.refresh, attributes)).lifetime ?? 0;
  }

  async createPermission(...addresses: readonly string[]): Promise<void> {
    const peers = addresses.map((address) => ({ type: attribute.xorPeerAddress, address: { address, port: 1 } }));
    await this.request(method.createPermission, peers);
  }

  async channelBind(channel: number, peer: TransportAddress): Promise<void> {
    await this.request(method.channelBind, [
      { type: attribute.channelNumber, value: channel * 0x10000 },
      { type: attribute.xorPeerAddress, address: peer },
    ]);
    this.#channels.set(channel, peer);
  }

  /** Makes the server connect to a TCP peer. Resolves to the connection's id, for `connectionBind`. */
  async connect(peer: TransportAddress): Promise<number> {
    const { connectionId } = await this.request(method.connect, [{ type: attribute.xorPeerAddress, address: peer }]);
    if (connectionId === undefined) throw new Error("the answer names no connection");
    return connectionId;
  }

  /** Opens a connection to the server and binds it to that of a peer. Resolves to a paused stream of the peer's data. */
  async connectionBind(connectionId: number): Promise<Socket> {
    const { onReceived: _received, onClosed: _closed, ...options } = this.#options;
    const data = await TurnClient.connect(options);
    data.#realm = this.#realm;
    data.#nonce = this.#nonce;
    const socket = data.#transport?.takeOver?.();
    try {
      await data.#transact(
        method.connectionBind,
        [{ type: attribute.connectionId, raw: connectionIdValue(connectionId) }],
        true,
      );
      if (socket === undefined) throw new Error("the transport is no stream");
      return socket;
    } catch (error) {
      data.close();
      throw error;
    }
  }

  /** Sends by indication, without confirmation of delivery. */
  send(peer: TransportAddress, data: Buffer, { dontFragment = false } = {}): void {
    const attributes: readonly Attribute[] = [
      { type: attribute.xorPeerAddress, address: peer },
      { type: attribute.data, value: data },
      ...(dontFragment ? [{ type: attribute.dontFragment, raw: Buffer.alloc(0) }] : []),
    ];
    this.sendRaw(encode({ method: method.send, class: "indication", transactionId: randomBytes(12), attributes }));
  }

  sendChannel(channel: number, data: Buffer): void {
    const header = Buffer.alloc(4);
    header.writeUInt16BE(channel, 0);
    header.writeUInt16BE(data.length, 2);
    this.sendRaw(Buffer.concat([header, data]));
  }

  sendRaw(bytes: Buffer): void {
    this.#transport?.send(bytes);
  }

  /** The next packet from a peer; earlier packets are kept. Rejects after `timeoutMilliseconds`. */
  receive(timeoutMilliseconds = this.#options.timeoutMilliseconds ?? 5000): Promise<Received> {
    return this.#inbox.next(timeoutMilliseconds);
  }

  close(): void {
    this.#end("the client is closed");
    this.#transport?.close();
  }

  /** An authenticated request; retries once after a challenge (401) and once after a stale nonce (438). */
  async request(requested: number, attributes: readonly Attribute[]): Promise<Message> {
    for (const retryable of [[401, 438], [438], []]) {
      try {
        return await this.#transact(requested, attributes, true);
      } catch (error) {
        if (!(error instanceof TurnResponseError) || !retryable.includes(error.code)) throw error;
        const { nonce, realm } = error.response;
        // A challenge in answer to credentials rejects them.
        if (error.code === 401 && this.#nonce !== undefined) throw error;
        this.#nonce = nonce;
        this.#realm = realm ?? this.#realm;
      }
    }
    throw new Error("unreachable");
  }

  async #allocateAnywhere(attributes: readonly Attribute[]): Promise<Message> {
    for (;;) {
      try {
        return await this.request(method.allocate, attributes);
      } catch (error) {
        if (!(error instanceof TurnResponseError) || error.code !== 300) throw error;
        if (typeof this.#options.transport === "function") throw error;
        const server = this.#redirections.next(this.server, error.response.alternateServer);
        if (server === undefined) throw error;
        await this.#moveTo(server);
      }
    }
  }

  /** The same transport protocol, credentials and name of the certificate as before. */
  async #moveTo({ address, port }: TransportAddress): Promise<void> {
    const { host, serverName = host } = this.#options;
    const before = this.#transport;
    this.#options = { ...this.#options, host: address, port, serverName };
    const opening = this.#open();
    before?.close();
    const transport = await opening;
    if (this.#closed !== undefined) transport.close();
    this.#transport = transport;
    this.#realm = undefined;
    this.#nonce = undefined;
  }

  /** The key that signs requests, once the server has sent its realm. */
  get #key(): HmacSha1 | undefined {
    const { username, password } = this.#options;
    if (this.#realm === undefined || username === undefined || password === undefined) return undefined;
    return longTermKey(username, this.#realm, password);
  }

  async #transact(requested: number, attributes: readonly Attribute[], signed: boolean): Promise<Message> {
    if (this.#closed !== undefined) throw new Error(this.#closed);
    const transactionId = randomBytes(12);
    const key = signed ? this.#key : undefined;
    const credentials: readonly Attribute[] =
      key === undefined
        ? []
        : [
            { type: attribute.username, value: this.#options.username ?? "" },
            { type: attribute.realm, value: this.#realm ?? "" },
            { type: attribute.nonce, value: this.#nonce ?? "" },
          ];
    const bytes = encode({
      method: requested,
      class: "request",
      transactionId,
      attributes: [...attributes, ...credentials],
      key,
    });
    const response = await this.#transactions.send(bytes, transactionId, this.#transport);
    if (response.class === "success") {
      const { integrityAt } = response;
      if (key !== undefined && (integrityAt === undefined || !integrityIsValid(response.bytes, integrityAt, key)))
        throw new Error("the answer is not signed by the server");
      return response;
    }
    const { integrityAt } = response;
    // Servers need not sign a redirection, but nobody else may.
    if (response.error?.code === 300 && key !== undefined && integrityAt !== undefined)
      if (!integrityIsValid(response.bytes, integrityAt, key))
        throw new Error("the answer is not signed by the server");
    throw new TurnResponseError(response.error?.code ?? 0, nameOf(requested), response);
  }

  #receive(bytes: Buffer): void {
    const first = bytes[0] ?? 0xff;
    if (first >= 0x40 && first < 0x80 && bytes.length >= 4) {
      const channel = bytes.readUInt16BE(0);
      const peer = this.#channels.get(channel);
      const data = bytes.subarray(4, 4 + bytes.readUInt16BE(2));
      this.#deliver({ data, via: "channel", channel, ...(peer && { peer }) });
      return;
    }
    const decoded = decode(bytes);
    if (decoded.kind !== "message") return;
    const { message } = decoded;
    if (message.method === method.data && message.class === "indication") {
      const [peer] = message.peers;
      if (message.data !== undefined) this.#deliver({ data: message.data, via: "indication", ...(peer && { peer }) });
    } else if (message.method === method.connectionAttempt && message.class === "indication") {
      const { connectionId, peers } = message;
      const [peer] = peers;
      this.#deliver({
        data: Buffer.alloc(0),
        via: "attempt",
        ...(connectionId !== undefined && { connectionId }),
        ...(peer && { peer }),
      });
    } else if (message.class === "success" || message.class === "error") this.#transactions.answered(message);
  }

  #deliver(received: Received): void {
    const { onReceived } = this.#options;
    if (onReceived === undefined) this.#inbox.put(received);
    else onReceived(received);
  }

  #end(reason: string): void {
    this.#closed ??= reason;
    this.#transactions.end(reason);
    this.#inbox.end(reason);
  }
}

const nameOf = (requested: number): string =>
  Object.entries(method).find(([, value]) => value === requested)?.[0] ?? `method ${requested}`;
