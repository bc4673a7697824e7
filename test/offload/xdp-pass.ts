/** Lets an end of a veth pair take what XDP sends to it. */
import { loadBpf } from "../../src/dataplane/offload/bpf.ts";
import { interfaceOf } from "../../src/dataplane/offload/interfaces.ts";

/** `return XDP_PASS`. */
const INSTRUCTIONS = Buffer.from("b7000000020000009500000000000000", "hex");

/** @returns what ends it. */
export const acceptXdp = (...names: readonly string[]): (() => void) => {
  const bpf = loadBpf();
  const program = bpf.loadProgram("xdp", "pass", INSTRUCTIONS, "GPL");
  const links = names.map((name) => bpf.attach("xdp", program, interfaceOf(name).index));
  return () => {
    for (const fd of [...links, program]) bpf.close(fd);
  };
};
