/** Requests to the kernel over netlink(7). */
import { createRequire } from "node:module";
import { getSystemErrorName } from "node:util";
import { loadSys } from "../engines/batch/sys.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const CHANGES = { exclusive: 0x200, create: 0x400 } as const;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const HEADER_BYTES = 16;
const ANSWER_BYTES = 65_536;

/** `NETLINK_ROUTE`, `NETLINK_GENERIC`. */
const PROTOCOLS = { route: 0, generic: 16 } as const;

type Call = (...args: readonly (number | Buffer)[]) => number;

/** The kernel rejected a change. */
export class NetlinkError extends Error {
  /** For example `EPERM`. */
  readonly code: string;

  constructor(what: string, code: string) {
    super(`${what}: ${code}`);
    this.code = code;
  }
}

export interface Netlink {
  /**
   * @param type of the message.
   * @param fixed header of the message, after the netlink header.
   * @param attributes as `attribute` makes them.
   * @returns what follows the netlink header of the response; undefined if the kernel reports an error.
   */
  ask(type: number, fixed: Buffer, attributes: readonly Buffer[]): Buffer | undefined;
  /**
   * Requests a change.
   * @param what it is, for the error. The other parameters are as for `ask`.
   * @param except errors to ignore.
   * @throws NetlinkError if the kernel rejects it.
   */
  change(
    what: string,
    type: number,
    flags: readonly (keyof typeof CHANGES)[],
    fixed: Buffer,
    attributes: readonly Buffer[],
    except?: readonly string[],
  ): void;
  /**
   * Requests all objects of a kind. @returns for each what follows the netlink header; empty if the kernel reports an
   * error.
   */
  dump(type: number, fixed: Buffer): readonly Buffer[];
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

/** The attributes of `answer` from `start` on, by type; those after a malformed one are missing. */
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
  const ask = (type: number, flags: number, fixed: Buffer, attributes: readonly Buffer[]): boolean => {
    const message = Buffer.concat([Buffer.alloc(HEADER_BYTES), fixed, ...attributes]);
    message.writeUInt32LE(message.length, 0);
    message.writeUInt16LE(type, 4);
    message.writeUInt16LE(NLM_F_REQUEST | flags, 6);
    return send(fd, message, message.length, 0) >= 0;
  };
  /** The messages of one datagram. The kernel responds within send(): recv() does not block. */
  const messages = (): readonly { readonly type: number; readonly body: Buffer }[] => {
    const length = receive(fd, answer, answer.length, 0);
    const all: { readonly type: number; readonly body: Buffer }[] = [];
    for (let at = 0; at + HEADER_BYTES <= length;) {
      const bytes = answer.readUInt32LE(at);
      if (bytes < HEADER_BYTES || at + bytes > length) break;
      all.push({
        type: answer.readUInt16LE(at + 4),
        body: Buffer.from(answer.subarray(at + HEADER_BYTES, at + bytes)),
      });
      at += padded(bytes);
    }
    return all;
  };
  return {
    ask(type, fixed, attributes) {
      const [first] = ask(type, 0, fixed, attributes) ? messages() : [];
      return first === undefined || first.type === NLMSG_ERROR ? undefined : first.body;
    },
    change(what, type, flags, fixed, attributes, except = []) {
      const changes = flags.reduce((all, flag) => all | CHANGES[flag], NLM_F_ACK);
      const [first] = ask(type, changes, fixed, attributes) ? messages() : [];
      // Zero: success.
      const number = first?.type === NLMSG_ERROR && first.body.length >= 4 ? first.body.readInt32LE(0) : undefined;
      if (number === 0) return;
      const code = number === undefined ? "no response" : getSystemErrorName(number);
      if (!except.includes(code)) throw new NetlinkError(what, code);
    },
    dump(type, fixed) {
      const all: Buffer[] = [];
      if (!ask(type, NLM_F_DUMP, fixed, [])) return all;
      for (;;) {
        const some = messages();
        for (const one of some) {
          if (one.type === NLMSG_DONE || one.type === NLMSG_ERROR) return all;
          all.push(one.body);
        }
        if (some.length === 0) return all;
      }
    },
    close: () => loadSys().close(fd),
  };
};
