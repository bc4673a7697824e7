/** A range of ports as people write it: `FROM-TO`. */
import { isPort } from "./host-port.ts";

export interface PortRange {
  readonly first: number;
  /** Inclusive. */
  readonly last: number;
}

/** @returns undefined if `text` is not `FROM-TO` with FROM ≤ TO, both from 1 to 65535. */
export const parsePortRange = (text: string): PortRange | undefined => {
  const [, from = "", to = ""] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  return isPort(first) && isPort(last) && first <= last ? { first, last } : undefined;
};
