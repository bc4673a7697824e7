/**
 * Attaches the TC program if the kernel has no TCX links (before Linux 6.6): as a filter of the interface's clsact qdisc.
 *
 * A filter outlives its process. So the filter is a program that only jumps to ours (`tail-call.bpf.c`), through a map that
 * the kernel empties when the process ends, however it ends: a relay that is killed forwards nothing from then on. Its
 * filter stays, without effect, until the next relay starts in this network and removes it. Each filter is named after a
 * Unix socket that its process holds; a filter whose socket is closed is stale.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { loadSys } from "../engines/batch/sys.ts";
import type { Bpf } from "./bpf.ts";
import { attribute, attributesOf, openNetlink, type Netlink } from "./netlink.ts";
import { objectOf } from "./object.ts";

const RTM_NEWQDISC = 36;
const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;
const RTM_GETTFILTER = 46;
/** `TC_H_CLSACT`, `TC_H_MAKE(TC_H_CLSACT, 0)` and `TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)`. */
const CLSACT = 0xffff_fff1;
const CLSACT_HANDLE = 0xffff_0000;
const INGRESS = 0xffff_fff2;
/** After the filters of network plugins, which are at the start. */
const PRIORITY = 45_000;
const ETH_P_ALL = 3;

const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_BPF_FD = 6;
const TCA_BPF_NAME = 7;
const TCA_BPF_FLAGS = 8;
const TCA_BPF_FLAG_ACT_DIRECT = 1;
const TCMSG_BYTES = 20;
const [HANDLE_AT, INFO_AT] = [8, 16];

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const NAME = /^turnpike-[0-9a-f]{16}$/;

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

/** `struct tcmsg` */
const tcmsg = (interfaceIndex: number, handle: number, parent: number, info: number): Buffer =>
  Buffer.concat([Buffer.alloc(4), word(interfaceIndex), word(handle), word(parent), word(info)]);

/** Priority, and protocol in network byte order. */
const INFO = PRIORITY * 0x1_0000 + (ETH_P_ALL << 8);

interface Filter {
  readonly name: string;
  readonly handle: number;
}

/** Our filter and those of other relays on the interface. */
const filtersOn = (netlink: Netlink, interfaceIndex: number): readonly Filter[] =>
  netlink.dump(RTM_GETTFILTER, tcmsg(interfaceIndex, 0, INGRESS, 0)).flatMap((answer) => {
    if (answer.length < TCMSG_BYTES || answer.readUInt32LE(INFO_AT) !== INFO) return [];
    const options = attributesOf(answer, TCMSG_BYTES).get(TCA_OPTIONS);
    const name = options && attributesOf(options, 0).get(TCA_BPF_NAME)?.toString("latin1").replace(/\0.*/s, "");
    const handle = answer.readUInt32LE(HANDLE_AT);
    return name !== undefined && NAME.test(name) && handle !== 0 ? [{ name, handle }] : [];
  });

const remove = (netlink: Netlink, interfaceIndex: number, handle: number): void =>
  netlink.change("removing the filter", RTM_DELTFILTER, [], tcmsg(interfaceIndex, handle, INGRESS, INFO), []);

/** Opens a Unix socket with an abstract name, which other processes of this network can see. @returns its descriptor. */
const holdName = (name: string): number => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;
  const libc = koffi.load(null);
  const socket = libc.func("int socket(int domain, int type, int protocol)") as (...all: readonly number[]) => number;
  const bind = libc.func("int bind(int fd, const void *address, uint32_t bytes)") as (
    fd: number,
    address: Buffer,
    bytes: number,
  ) => number;
  const fd = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  const address = Buffer.from(`\0\0\0${name}`, "latin1");
  address.writeUInt16LE(AF_UNIX, 0);
  if (fd >= 0 && bind(fd, address, address.length) >= 0) return fd;
  if (fd >= 0) loadSys().close(fd);
  throw new Error(`cannot open the Unix socket @${name}`);
};

const isHeld = (name: string): boolean =>
  readFileSync("/proc/net/unix", "latin1")
    .split("\n")
    .some((line) => line.endsWith(` @${name}`));

export interface Clsact {
  /** @throws NetlinkError if the kernel refuses it. */
  attach(interfaceIndex: number): void;
  /** Removes the filters. */
  close(): void;
}

/** @param program the TC program. @throws BpfError or Error if the filter cannot be loaded. */
export const openClsact = (bpf: Bpf, program: number): Clsact => {
  const name = `turnpike-${randomBytes(8).toString("hex")}`;
  const opened: number[] = [];
  const keep = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  const attached: { readonly interfaceIndex: number; readonly handle: number }[] = [];
  const netlink = openNetlink("route");
  const close = (): void => {
    for (const { interfaceIndex, handle } of attached)
      try {
        remove(netlink, interfaceIndex, handle);
      } catch {
        // The interface was removed, and the filter with it.
      }
    netlink.close();
    for (const fd of opened) loadSys().close(fd);
  };
  try {
    keep(holdName(name));
    const programs = keep(bpf.createMap("programs", { type: "program-array", keyBytes: 4, valueBytes: 4, entries: 1 }));
    bpf.update(programs, word(0), word(program));
    const object = objectOf("tail-call.bpf.o");
    const jump = keep(
      bpf.loadProgram("tc", "tail_call", object.instructions("tc", new Map([["programs", programs]])), object.license),
    );
    const options = Buffer.concat([
      attribute(TCA_BPF_FD, word(jump)),
      attribute(TCA_BPF_NAME, Buffer.from(`${name}\0`)),
      attribute(TCA_BPF_FLAGS, word(TCA_BPF_FLAG_ACT_DIRECT)),
    ]);
    return {
      attach(interfaceIndex) {
        const qdisc = tcmsg(interfaceIndex, CLSACT_HANDLE, CLSACT, 0);
        // The kernel reports an existing one, of a network plugin, as an error.
        netlink.change(
          "adding the clsact qdisc",
          RTM_NEWQDISC,
          ["create", "exclusive"],
          qdisc,
          [attribute(TCA_KIND, Buffer.from("clsact\0"))],
          ["EEXIST"],
        );
        for (const other of filtersOn(netlink, interfaceIndex))
          if (!isHeld(other.name)) remove(netlink, interfaceIndex, other.handle);
        netlink.change("adding the filter", RTM_NEWTFILTER, ["create"], tcmsg(interfaceIndex, 0, INGRESS, INFO), [
          attribute(TCA_KIND, Buffer.from("bpf\0")),
          attribute(TCA_OPTIONS, options),
        ]);
        const own = filtersOn(netlink, interfaceIndex).find((one) => one.name === name);
        if (own === undefined) throw new Error("the kernel does not list the filter that it accepted");
        attached.push({ interfaceIndex, handle: own.handle });
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
};
