/** The BPF objects that a process holds, and whether the kernel still has them. */
import { readdirSync, readFileSync } from "node:fs";
import koffi from "koffi";

/** `BPF_*_GET_NEXT_ID` */
const GET_NEXT_ID = { prog: 11, map: 12, link: 31 } as const;
type Kind = keyof typeof GET_NEXT_ID;

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

/**
 * Whether the kernel has an object with this id. Asked without a descriptor of it: each descriptor of a program array that is
 * closed makes the kernel empty it, and if two are closed at once the kernel keeps the map for ever.
 */
export const exists = ({ kind, id }: BpfObject): boolean => {
  const attributes = Buffer.alloc(16);
  // The id to start after; the kernel writes the next one behind it.
  attributes.writeUInt32LE(id - 1, 0);
  const result = syscall(process.arch === "x64" ? 321 : 280, GET_NEXT_ID[kind], attributes, attributes.length);
  return Number(result) === 0 && attributes.readUInt32LE(4) === id;
};
