/** TURN over DTLS (RFC 7350): a socket for each bind address, and a session for each client that has proven its address. */
import { monotonicMs } from "../../clock.ts";
import type { DropCode } from "../../reasons.ts";
import { wireAddressOf, formatAddress, type WireAddress, type TransportAddress } from "../../net/address.ts";
import type { DatagramPort, Engine } from "../engines/engine.ts";
import { fromClient } from "../engines/forward.ts";
import type { Flow, Traffic } from "../flows.ts";
import { DtlsServer, isClientHello, type DtlsSession, type SessionOwner } from "../openssl/dtls-server.ts";
import { messageLength } from "../../stun/message.ts";
import type { ListenerOwner, ListenerPath, Materials, OpenListener } from "./listener.ts";

const TICK_MS = 200;

class DtlsPath implements ListenerPath {
  readonly protocol = "dtls";
  readonly client: WireAddress;
  readonly server: TransportAddress;
  readonly key: string;
  readonly beganAt = monotonicMs();
  idleSince = monotonicMs();
  session: DtlsSession | undefined;
  isUp = false;
  flow: Flow | undefined;

  constructor(client: WireAddress, server: TransportAddress, key: string) {
    this.client = client;
    this.server = server;
    this.key = key;
  }

  send(bytes: Buffer, start: number, end: number): boolean {
    return this.session?.send(bytes.subarray(start, end)) ?? false;
  }

  install(flow: Flow): void {
    this.flow = flow;
  }

  remove(flow: Flow): void {
    if (this.flow !== flow) return;
    this.flow = undefined;
    this.idleSince = monotonicMs();
  }
}

/** Messages in a record, usually one: STUN by its length, ChannelData with its padding if present. */
const forEachMessage = (record: Buffer, take: (message: Buffer) => void): boolean => {
  for (let at = 0; at < record.length;) {
    if (record.length - at < 4) return false;
    const isChannelData = (record[at] ?? 0) >= 0x40;
    if (!isChannelData && record.length - at < 20) return false;
    const length = isChannelData ? 4 + record.readUInt16BE(at + 2) : messageLength(record, at);
    if (length === undefined || at + length > record.length) return false;
    take(record.subarray(at, at + length));
    at += (length + 3) & ~3;
  }
  return true;
};

/**
 * Binds `port` on each address; if one fails, the others are closed and the promise rejects. @throws OpenSSL's error for
 * the first of `materials`.
 */
export const listenDtls = async (
  engine: Engine,
  addresses: readonly string[],
  port: number,
  traffic: Traffic,
  owner: ListenerOwner,
  materials: Materials,
): Promise<OpenListener> => {
  const { handshakeMilliseconds, idleConnectionMilliseconds, maxHandshakes, maxIdleConnections } = owner.limits;
  const server = new DtlsServer(materials, () => owner.isStunOnly);
  const paths = new Map<string, DtlsPath>();
  const ports: DatagramPort[] = [];

  const end = (path: DtlsPath, reason?: DropCode): void => {
    if (paths.get(path.key) !== path) return;
    paths.delete(path.key);
    if (reason !== undefined) owner.dropped(reason);
    if (!path.isUp) owner.counts.failedHandshakes++;
    owner.gone(path);
    path.session?.close();
  };

  const message = (bytes: Buffer, path: DtlsPath): void => {
    if (path.flow !== undefined && fromClient(path.flow, bytes, 0, bytes.length)) return;
    if ((bytes[0] ?? 0) >= 0x40) return owner.dropped("no-allocation");
    traffic.packetsIn++;
    traffic.bytesIn += bytes.length;
    return owner.message(bytes, path);
  };

  /**
   * Unauthenticated sources, and clients that start again from the port of an earlier session, which ends once they have
   * proven their address.
   */
  const greet = (datagram: Buffer, at: DatagramPort, client: WireAddress, key: string): void => {
    const path = new DtlsPath(client, client.from ?? at.at, key);
    const wire: SessionOwner = {
      send: (bytes) => at.send(bytes, 0, bytes.length, path.client),
      record: (record) => {
        if (!forEachMessage(record, (bytes) => message(bytes, path))) owner.dropped("frame-garbage");
      },
    };
    path.session = server.greet(datagram, key, wire);
    if (path.session === undefined) return;
    const before = paths.get(key);
    if (before !== undefined) end(before);
    paths.set(key, path);
    owner.counts.connections++;
    if (paths.size > maxIdleConnections) limit();
    if (!path.session.advance()) end(path, "handshake");
  };

  /**
   * Makes room by closing sessions without an allocation: handshakes first, then the session that has been idle longest.
   */
  const limit = (): void => {
    const idle = [...paths.values()].filter(({ flow }) => flow === undefined);
    const [oldest] = idle.toSorted((a, b) => a.idleSince - b.idleSince);
    if (oldest !== undefined && idle.length > maxIdleConnections) end(oldest, "idle-connections");
  };

  const receive = (
    datagram: Buffer,
    at: DatagramPort,
    client: TransportAddress,
    from: TransportAddress | undefined,
  ): void => {
    // Nothing can be sent to port 0, which a forged source may have.
    if (client.port === 0) return owner.dropped("not-dtls");
    const key = `${client.address} ${client.port} ${from?.address ?? ""}`;
    const path = paths.get(key);
    if (path?.session === undefined || (path.session.isEstablished && isClientHello(datagram))) {
      if (isClientHello(datagram)) return greet(datagram, at, wireAddressOf(client, from), key);
      return owner.dropped("not-dtls");
    }
    const goesOn = path.session.receive(datagram);
    if (!path.isUp && path.session.isEstablished) {
      path.isUp = true;
      owner.counts.handshakes++;
    }
    return goesOn ? undefined : end(path);
  };

  const tick = setInterval(() => {
    const now = monotonicMs();
    let handshakes = 0;
    for (const path of paths.values()) {
      const isUp = path.session?.isEstablished ?? false;
      if (!isUp) {
        handshakes += 1;
        const isLate = now - path.beganAt > handshakeMilliseconds || handshakes > maxHandshakes;
        if (isLate || path.session?.tick() !== true) end(path, "handshake");
      } else if (path.flow === undefined && now - path.idleSince > idleConnectionMilliseconds)
        end(path, "idle-connection");
    }
  }, TICK_MS).unref();

  const close = async (): Promise<void> => {
    clearInterval(tick);
    for (const path of paths.values()) path.session?.close();
    paths.clear();
    await Promise.all(ports.map((opened) => opened.close()));
    server.close();
  };
  try {
    for (const address of addresses) {
      const opened: DatagramPort = await engine.datagrams(
        { address, port },
        { message: (bytes, client, from) => receive(bytes, opened, client, from), failed: owner.failed },
      );
      ports.push(opened);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    at: ports.map(({ at }) => formatAddress(at.address, at.port)),
    connections: () => paths.size,
    kernelDrops: () => ports.reduce((sum, one) => sum + one.kernelDrops(), 0),
    faults: () => server.faults,
    renew: (next) => server.renew(next),
    close,
  };
};
