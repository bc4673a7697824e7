/** A worker: a separate relay on a separate thread, for the clients that the kernel assigns to it. */
import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { pino } from "pino";
import { EmbeddedRelay } from "../embedded-relay.ts";
import { RelayedPorts } from "../relayed-ports.ts";
import type { OffloadHandle } from "../offload/offload.ts";
import type { HeldPort } from "../engines/engine.ts";
import { openThreadChannel } from "./thread-channel.ts";
import type { ApplyRequest, PoolSays, WorkerData, WorkerSays } from "./protocol.ts";

if (parentPort === null) throw new Error("this is the program of a worker thread");

const { options, ids, secrets, descriptors, ports } = workerData as WorkerData;

/** The socket owns the descriptor from here on. */
const socketOf = (fd: number): Socket => {
  descriptors[fd] = 0;
  const socket = new Socket({ fd, readable: true, writable: true });
  socket.pause();
  return socket;
};

const channel = openThreadChannel(parentPort, {
  apply: ({ config, draining, admission, offload }: ApplyRequest) => {
    relay.useOffload(offload);
    return relay.put(config, {
      ...(admission === undefined ? {} : { admission }),
      draining: new Map(Object.entries(draining).map(([cluster, endpoints]) => [cluster, new Set(endpoints)])),
    });
  },
  useOffload: (handle: OffloadHandle | undefined) => relay.useOffload(handle),
  remove: (gateway: string) => relay.remove(gateway),
  takeStream: ({ stream, fd }: PoolSays["takeStream"]) => relay.takeStream(stream, socketOf(fd)),
  state: () => relay.state(),
  summary: () => relay.summary(),
  drain: () => relay.drain(),
  close: () => relay.close(),
  fail: (reason: string) => {
    setImmediate(() => {
      throw new Error(reason);
    });
  },
});
const tell = <K extends keyof WorkerSays>(what: K, value: WorkerSays[K]): void => channel.tell(what, value);

const relay = new EmbeddedRelay({
  ...options,
  engine: "batch",
  ids,
  // The pool's logger filters by level, because the level changes while workers run.
  log: pino({ level: "debug" }, { write: (line) => tell("log", JSON.parse(line) as WorkerSays["log"]) }),
  sockets: {
    descriptors,
    clientSockets: {
      open: (at) => channel.ask<number>("openSocket", at),
      close: (at) => channel.ask<void>("closeSocket", at),
    },
  },
  nonceKey: secrets.nonceKey,
  streams: {
    ticketKeys: secrets.ticketKeys,
    handOver: async (stream, connectionId) =>
      socketOf(await channel.ask<number>("handOverStream", { stream, connectionId })),
  },
  quota: {
    take: (gateway, user, limit) => channel.ask<boolean>("takeQuota", { gateway, user, limit }),
    give: (gateway, user) => tell("giveQuota", { gateway, user }),
  },
  relayedPorts: new RelayedPorts(ports.own, ports.all),
  heldPorts: {
    hold: (port) => channel.ask<Uint8Array | undefined>("holdPort", port),
    take: (token) => channel.ask<HeldPort | undefined>("takePort", token),
  },
});
relay.events.subscribe((event) => tell("event", event));
