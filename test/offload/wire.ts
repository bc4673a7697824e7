/** Raw frames on an interface: packet(7). */
import koffi from "koffi";

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
const PACKET_IGNORE_OUTGOING = 23;
const ETH_P_ALL = 3;
const MAX_FRAME = 65_536;
const BUFFER_BYTES = 64 << 20;

type Call = (...args: readonly (number | Buffer)[]) => number;

const libc = koffi.load(null);
const call = (declaration: string): Call => libc.func(declaration) as Call;
const socket = call("int socket(int domain, int type, int protocol)");
const bind = call("int bind(int fd, const void *address, int bytes)");
const setsockopt = call("int setsockopt(int fd, int level, int name, const void *value, int bytes)");
const send = call("long send(int fd, const void *bytes, size_t count, int flags)");
const recv = call("long recv(int fd, void *bytes, size_t count, int flags)");
const closeFd = call("int close(int fd)");

export interface Wire {
  send(frame: Buffer): void;
  /** The next frame that came in; undefined: none so far. */
  receive(): Buffer | undefined;
  close(): void;
}

const must = (what: string, result: number): number => {
  if (result < 0) throw new Error(`${what}: error ${koffi.errno()}`);
  return result;
};

/** @param index of the interface, in the network namespace of this thread. */
export const openWire = (index: number): Wire => {
  const protocol = Buffer.from([0, ETH_P_ALL]);
  const fd = must("socket", socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, protocol.readUInt16LE(0)));
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    return bytes;
  };
  must("buffer", setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, number(BUFFER_BYTES), 4));
  must("direction", setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, number(1), 4));
  // struct sockaddr_ll
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  protocol.copy(address, 2);
  address.writeInt32LE(index, 4);
  must("bind", bind(fd, address, address.length));
  const buffer = Buffer.alloc(MAX_FRAME);
  return {
    send: (frame) => void must("send", send(fd, frame, frame.length, 0)),
    receive() {
      const length = recv(fd, buffer, buffer.length, MSG_DONTWAIT);
      return length < 0 ? undefined : Buffer.from(buffer.subarray(0, length));
    },
    close: () => void closeFd(fd),
  };
};
