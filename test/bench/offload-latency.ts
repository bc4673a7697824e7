/**
 * How long frames take from one network to another, one at a time: this process sends them on an interface, and spins until
 * they are received on the other one.
 */
import { closeSync, openSync } from "node:fs";
import koffi from "koffi";
import { openWire } from "../offload/wire.ts";

const CLONE_NEWNET = 0x40000000;
/** A frame that is not there by then is lost. */
const LOST_NS = 200_000_000n;

const setns = koffi.load(null).func("int setns(int fd, int type)") as (fd: number, type: number) => number;

/** Calls `act` in the network of the process `pid`; sockets stay in the network that they were opened in. */
export const inNetworkOf = <T>(pid: number, act: () => T): T => {
  const [own, other] = ["/proc/self/ns/net", `/proc/${pid}/ns/net`].map((path) => openSync(path, "r")) as [
    number,
    number,
  ];
  const enter = (fd: number): void => {
    if (setns(fd, CLONE_NEWNET) !== 0) throw new Error(`setns: error ${koffi.errno()}`);
  };
  try {
    enter(other);
    return act();
  } finally {
    enter(own);
    closeSync(own);
    closeSync(other);
  }
};

/** A network, by a process in it, and the index of an interface there. */
export interface LatencyEnd {
  readonly pid: number;
  readonly index: number;
}

export interface LatencyOptions {
  readonly from: LatencyEnd;
  readonly to: LatencyEnd;
  readonly frame: Buffer;
  /** Of the frame as it is received. */
  readonly isReceived: (frame: Buffer) => boolean;
  readonly count: number;
  readonly perSecond: number;
}

/** @returns microseconds, ascending; of the frames that arrived. */
export const measureLatency = (options: LatencyOptions): readonly number[] => {
  const { frame, isReceived, count, perSecond } = options;
  const from = inNetworkOf(options.from.pid, () => openWire(options.from.index));
  const to = inNetworkOf(options.to.pid, () => openWire(options.to.index));
  const pause = BigInt(Math.round(1e9 / perSecond));
  const took: number[] = [];
  try {
    for (let n = 0; n < count; n += 1) {
      const sentAt = process.hrtime.bigint();
      from.send(frame);
      for (;;) {
        const received = to.receive();
        const now = process.hrtime.bigint();
        if (received !== undefined && isReceived(received)) took.push(Number(now - sentAt) / 1000);
        else if (now - sentAt < LOST_NS) continue;
        break;
      }
      while (process.hrtime.bigint() - sentAt < pause);
    }
  } finally {
    from.close();
    to.close();
  }
  return took.toSorted((a, b) => a - b);
};
