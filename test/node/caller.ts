/**
 * Clients outside a cluster, as a process that is controlled by messages, and answers each. Its network is another than
 * that of the test, and so it cannot be in the test's process.
 */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { follow } from "./process-outside.ts";
import { startStream, type Stream, type StreamOptions } from "../support/stream.ts";
import { TurnClient, TurnResponseError, type TurnClientOptions } from "../../src/turn-client/turn-client.ts";

export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** A call that has begun. */
export interface Begun {
  readonly number: number;
  /** IP address that the relay has allocated, which is that of its pod. */
  readonly relay: string;
}

/** What a test may ask. */
export interface Orders {
  /** Begins a call: packets to `peer` through the relay, which come back. */
  call(options: StreamOptions, peer: Peer): Promise<Begun>;
  /** Waits until this many more packets have returned. */
  flows(call: number, packets: number): Promise<void>;
  /** Ends a call: how many packets were sent, and which of them did not return. */
  end(call: number): Promise<{ readonly sent: number; readonly lost: readonly number[] }>;
  /** What a STUN server says that the address here is; `HOST:PORT`. */
  mapped(options: TurnClientOptions): Promise<string>;
  /** Whether a TCP connection to it comes about. */
  opens(host: string, port: number): Promise<boolean>;
  /** Sends a datagram to each port `first` to `last` of `host`; which ports answer within a second, and at which nobody is. */
  scan(host: string, first: number, last: number): Promise<{ readonly answer: number[]; readonly closed: number[] }>;
  /** The status and body of what `url` answers to GET. */
  get(url: string): Promise<{ readonly status: number; readonly body: string }>;
  /** The code that a permission for the peer is refused with; nothing if it is given. */
  refusal(options: TurnClientOptions, peer: Peer): Promise<number | undefined>;
}

/** Long enough for what is on this machine. */
const OPENING_MS = 3000;
const SILENCE_MS = 1000;

const calls = new Map<number, Stream>();
let last = 0;

const callOf = (number: number): Stream => {
  const stream = calls.get(number);
  if (stream === undefined) throw new Error(`no call ${number}`);
  return stream;
};

/** Gives its allocation back, which a dataplane that is to end would wait for. There may be none, or nobody to give it to. */
const hangUp = async (client: TurnClient): Promise<void> => {
  await client.refresh(0).catch(() => undefined);
  client.close();
};

const orders: Orders = {
  async call(options, peer) {
    const stream = await startStream(options, peer);
    last += 1;
    calls.set(last, stream);
    return { number: last, relay: stream.relay };
  },
  flows: (call, packets) => callOf(call).flows(packets),
  async end(call) {
    const stream = callOf(call);
    const lost = await stream.lost();
    await hangUp(stream.client);
    stream.stop();
    calls.delete(call);
    return { sent: stream.sent, lost };
  },
  async mapped(options) {
    const client = await TurnClient.connect(options);
    try {
      const mapped = await client.binding();
      return `${mapped?.address}:${mapped?.port}`;
    } finally {
      client.close();
    }
  },
  opens: (host, port) =>
    new Promise((resolve) => {
      const socket = connect({ host, port, timeout: OPENING_MS });
      const settle = (isOpen: boolean): void => {
        socket.destroy();
        resolve(isOpen);
      };
      socket.once("connect", () => settle(true));
      socket.once("error", () => settle(false));
      socket.once("timeout", () => settle(false));
    }),
  async scan(host, first, last) {
    const [answer, closed]: [number[], number[]] = [[], []];
    const sockets = Array.from({ length: last - first + 1 }, (_, index) => {
      const port = first + index;
      const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
      socket.on("message", () => answer.push(port));
      // To a connected socket, the system tells that nobody is there.
      socket.on("error", () => closed.push(port));
      socket.connect(port, host, () => socket.send("scan"));
      return socket;
    });
    await pause(SILENCE_MS);
    for (const socket of sockets) socket.close();
    return { answer, closed };
  },
  async get(url) {
    const response = await fetch(url, { signal: AbortSignal.timeout(OPENING_MS) });
    return { status: response.status, body: await response.text() };
  },
  async refusal(options, peer) {
    const client = await TurnClient.connect(options);
    try {
      await client.allocate({ family: peer.address.includes(":") ? "ipv6" : "ipv4" });
      await client.createPermission(peer.address);
      return undefined;
    } catch (error) {
      if (error instanceof TurnResponseError) return error.code;
      throw error;
    } finally {
      await hangUp(client);
    }
  },
};

follow(orders);
