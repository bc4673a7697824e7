/** Questions to the kernel over netlink(7): one message there, one back. */
import { createRequire } from "node:module";
import { loadSys } from "../engines/batch/sys.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NLM_F_REQUEST = 1;
const NLMSG_ERROR = 2;
const HEADER_BYTES = 16;
const ANSWER_BYTES = 16_384;

/** `NETLINK_ROUTE`, `NETLINK_GENERIC`. */
const PROTOCOLS = { route: 0, generic: 16 } as const;

type Call = (...args: readonly (number | Buffer)[]) => number;

export interface Netlink {
  /**
   * @param type of the message.
   * @param fixed header of the message, behind the one of netlink.
   * @param attributes as `attribute` makes them.
   * @returns what follows the netlink header of the response; undefined if the kernel reports an error.
   */
  ask(type: number, fixed: Buffer, attributes: readonly Buffer[]): Buffer | undefined;
  close(): void;
}

const padded = (length: number): number => (length + 3) & ~3;

export const attribute = (type: number, value: Uint8Array): Buffer => {
  const bytes = Buffer.alloc(padded(4 + value.length));
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
};

/** The attributes of `answer` from `start` on, by type; those behind a malformed one are missing. */
export const attributesOf = (answer: Buffer, start: number): ReadonlyMap<number, Buffer> => {
  const found = new Map<number, Buffer>();
  for (let at = start; at + 4 <= answer.length;) {
    const length = answer.readUInt16LE(at);
    if (length < 4 || at + length > answer.length) break;
    found.set(answer.readUInt16LE(at + 2), answer.subarray(at + 4, at + length));
    at += padded(length);
  }
  return found;
};

/** @throws Error if no netlink socket can be opened. */
export const openNetlink = (protocol: keyof typeof PROTOCOLS): Netlink => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
  const libc = koffi.load(null);
  const call = (declaration: string): Call => libc.func(declaration) as Call;
  const socket = call("int socket(int domain, int type, int protocol)");
  const send = call("long send(int fd, const void *bytes, size_t count, int flags)");
  const receive = call("long recv(int fd, void *bytes, size_t count, int flags)");
  const fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, PROTOCOLS[protocol]);
  if (fd < 0) throw new Error("cannot open a netlink socket");
  const answer = Buffer.alloc(ANSWER_BYTES);
  return {
    ask(type, fixed, attributes) {
      const message = Buffer.concat([Buffer.alloc(HEADER_BYTES), fixed, ...attributes]);
      message.writeUInt32LE(message.length, 0);
      message.writeUInt16LE(type, 4);
      message.writeUInt16LE(NLM_F_REQUEST, 6);
      if (send(fd, message, message.length, 0) < 0) return undefined;
      // The kernel responds within send(): recv() does not block.
      const length = receive(fd, answer, answer.length, 0);
      if (length < HEADER_BYTES || answer.readUInt16LE(4) === NLMSG_ERROR) return undefined;
      return Buffer.from(answer.subarray(HEADER_BYTES, Math.min(length, answer.readUInt32LE(0))));
    },
    close: () => loadSys().close(fd),
  };
};
