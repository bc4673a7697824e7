/** Other bytes out of some: what a search for inputs does to those that it has. */

type Random = () => number;

/** Numbers at the edges of what a length or a count can be. */
const EDGES = [0, 1, 3, 4, 7, 8, 16, 20, 63, 64, 127, 128, 255, 256, 1024, 4095, 4096, 32_767, 32_768, 65_535] as const;
/** Words that formats turn on: the STUN cookie, attribute types, channel numbers, record heads. */
const WORDS = [
  "2112a442",
  "0001",
  "0003",
  "0006",
  "0008",
  "0009",
  "000c",
  "000d",
  "0012",
  "0013",
  "0014",
  "0015",
  "0016",
  "0017",
  "0018",
  "0019",
  "001a",
  "0020",
  "0022",
  "002a",
  "4000",
  "4fff",
  "8000",
  "8001",
  "8022",
  "8023",
  "8028",
  "16fefd",
  "17fefd",
  "2111",
  "2121",
].map((hex) => Buffer.from(hex, "hex"));

const MAX_BYTES = 4096;

const one = (bytes: Buffer, other: Buffer, below: (n: number) => number): Buffer => {
  const at = below(bytes.length + 1);
  const put = (word: Buffer): Buffer => {
    const changed = Buffer.from(bytes);
    word.copy(changed, Math.min(at, Math.max(0, bytes.length - word.length)));
    return changed;
  };
  switch (below(9)) {
    case 0: {
      const changed = Buffer.from(bytes);
      if (at < bytes.length) changed[at] = (changed[at] ?? 0) ^ (1 << below(8));
      return changed;
    }
    case 1:
      return put(Buffer.from([below(256)]));
    case 2: {
      const edge = EDGES[below(EDGES.length)] ?? 0;
      return put(Buffer.from([edge >> 8, edge & 255]));
    }
    case 3:
      return put(WORDS[below(WORDS.length)] ?? bytes);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + below(8), below(256)), bytes.subarray(at)]);
    case 5:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + below(16)))]);
    case 6: {
      // A piece once more.
      const piece = bytes.subarray(at, at + 4 * (1 + below(8)));
      return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
    }
    case 7:
      return Buffer.concat([bytes.subarray(0, at), other.subarray(below(other.length + 1))]);
    default: {
      // A length that fits again what is behind it: most damage never gets past that check.
      const changed = Buffer.from(bytes);
      if (changed.length >= 20) changed.writeUInt16BE((changed.length - 20) & 0xffff, 2);
      return changed;
    }
  }
};

/** `bytes` changed in one to eight ways; `other` is another input that pieces may come of. */
export const mutate = (bytes: Buffer, other: Buffer, random: Random): Buffer => {
  const below = (n: number): number => Math.floor(random() * n);
  let changed = bytes;
  for (let times = 1 << below(4); times > 0; times--) changed = one(changed, other, below);
  return changed.subarray(0, MAX_BYTES);
};
