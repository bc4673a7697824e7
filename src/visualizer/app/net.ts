/** Stands in for `node:net` where a browser runs the relay's rules: addresses alone. */

const isByte = (text: string): boolean => /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) < 256;

export const isIPv4 = (text: string): boolean => {
  const parts = text.split(".");
  return parts.length === 4 && parts.every(isByte);
};

/** The eight groups of an IPv6 literal without zone; nothing where it is none. */
const groupsOf = (text: string): readonly number[] | undefined => {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  let bare = text;
  if (dotted !== null) {
    const [, head = "", tail = ""] = dotted;
    if (!isIPv4(tail)) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = tail.split(".").map(Number);
    bare = `${head}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const halves = bare.split("::");
  if (halves.length > 2) return undefined;
  const [before = [], after] = halves.map((half) => (half === "" ? [] : half.split(":")));
  if (![...before, ...(after ?? [])].every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  const zeros = 8 - before.length - (after?.length ?? 0);
  if (after === undefined ? zeros !== 0 : zeros < 1) return undefined;
  return [...before, ...Array<string>(zeros).fill("0"), ...(after ?? [])].map((group) => Number.parseInt(group, 16));
};

export const isIPv6 = (text: string): boolean => groupsOf(text.replace(/%.+$/, "")) !== undefined;

/** With the longest run of zeros left out, as operating systems write it. */
const canonical = (groups: readonly number[]): string => {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.length < 2) return hex.join(":");
  return `${hex.slice(0, best.start).join(":")}::${hex.slice(best.start + best.length).join(":")}`;
};

/** Of Node's class, what the rules use. */
export class SocketAddress {
  readonly address: string;

  constructor({ address, family }: { readonly address: string; readonly family: "ipv4" | "ipv6" }) {
    const groups = family === "ipv6" ? groupsOf(address) : undefined;
    this.address = groups === undefined ? address : canonical(groups);
  }
}
