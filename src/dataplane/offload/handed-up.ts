/** Why the program hands a datagram up to user space: `enum handed_up` of `channel-data.bpf.c`, in its order. */
export const handedUp = [
  { name: "no-flow", what: "no channel of a client, or none that is forwarded in the kernel" },
  { name: "indication", what: "a Send indication" },
  { name: "options", what: "it has IP options" },
  { name: "fragment", what: "it is a fragment" },
  { name: "segments", what: "several datagrams in one (GRO or GSO)" },
  { name: "hop-limit", what: "its TTL or hop limit is used up" },
  { name: "length", what: "its lengths contradict each other" },
  { name: "no-checksum", what: "it has no UDP checksum" },
  { name: "too-long", what: "it has to be fragmented, or is longer than 2047 bytes" },
  { name: "failed", what: "the kernel could not change it; it is lost" },
] as const;

export type HandedUp = (typeof handedUp)[number]["name"];
