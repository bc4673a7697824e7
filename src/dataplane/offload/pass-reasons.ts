/** Why the program passes a datagram to user space: `enum pass_reason` of `channel-data.bpf.c`, in the same order. */
export const passReasons = [
  { name: "no-flow", what: "it belongs to no channel that the kernel forwards" },
  { name: "indication", what: "a Send indication" },
  { name: "options", what: "it has IP options" },
  { name: "fragment", what: "it is an IP fragment" },
  { name: "segments", what: "it holds several segments (GRO or GSO)" },
  { name: "hop-limit", what: "its TTL or hop limit would reach zero" },
  { name: "length", what: "its length fields are inconsistent" },
  { name: "no-checksum", what: "it has no UDP checksum" },
  { name: "too-long", what: "it exceeds the MTU of the outgoing interface, or 2047 bytes" },
  { name: "failed", what: "the kernel failed to rewrite it; a rewrite that failed half-way drops it" },
] as const;

export type PassReason = (typeof passReasons)[number]["name"];
