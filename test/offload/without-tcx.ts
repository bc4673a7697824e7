/**
 * A module that a program loads first (`node --import`): from then on the kernel seems to be one before Linux 6.6, which has
 * no TCX links and answers `EINVAL`.
 */
import { createRequire } from "node:module";
import type { LibraryHandle } from "koffi";

const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi").default;

const BPF_LINK_CREATE = 28;
const BPF_TCX_INGRESS = 46;
const ATTACH_TYPE_AT = 8;
const EINVAL = 22;

type Syscall = (number: number, command: number, attributes: Buffer, bytes: number) => number | bigint;

const withoutTcx =
  (syscall: Syscall): Syscall =>
  (number, command, attributes, bytes) => {
    if (command !== BPF_LINK_CREATE || attributes.readUInt32LE(ATTACH_TYPE_AT) !== BPF_TCX_INGRESS)
      return syscall(number, command, attributes, bytes);
    koffi.errno(EINVAL);
    return -1;
  };

const { load } = koffi;
koffi.load = (path) => {
  const library = load(path);
  const func = library.func.bind(library) as (declaration: string) => unknown;
  const replaced = (declaration: string): unknown =>
    declaration.startsWith("long syscall(") ? withoutTcx(func(declaration) as Syscall) : func(declaration);
  return Object.create(library, { func: { value: replaced } }) as LibraryHandle;
};
