/** The BPF objects that a process holds, and whether the kernel still has them. */
import { readdirSync, readFileSync } from "node:fs";
import koffi from "koffi";

const GET_FD_BY_ID = { prog: 13, map: 14, link: 30 } as const;
type Kind = keyof typeof GET_FD_BY_ID;

export interface BpfObject {
  readonly kind: Kind;
  readonly id: number;
}

const libc = koffi.load(null);
const syscall = libc.func("long syscall(long number, long command, void *attributes, ulong bytes)") as (
  number: number,
  command: number,
  attributes: Buffer,
  bytes: number,
) => number | bigint;
const close = libc.func("int close(int fd)") as (fd: number) => number;

/** From the `fdinfo` of its file descriptors. */
export const bpfObjectsOf = (pid: number): readonly BpfObject[] =>
  readdirSync(`/proc/${pid}/fdinfo`).flatMap((fd) => {
    let text: string;
    try {
      text = readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8");
    } catch {
      // Closed since the folder was read.
      return [];
    }
    // A link names its program as well.
    for (const kind of ["link", "map", "prog"] as const) {
      const id = new RegExp(`^${kind}_id:\\s*(\\d+)$`, "m").exec(text)?.[1];
      if (id !== undefined) return [{ kind, id: Number(id) }];
    }
    return [];
  });

/** Whether the kernel has an object with this id. */
export const exists = ({ kind, id }: BpfObject): boolean => {
  const attributes = Buffer.alloc(16);
  attributes.writeUInt32LE(id, 0);
  const fd = Number(syscall(process.arch === "x64" ? 321 : 280, GET_FD_BY_ID[kind], attributes, attributes.length));
  if (fd >= 0) close(fd);
  return fd >= 0;
};
