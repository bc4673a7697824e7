/** Load balancers whose datagrams begin with a PROXY header: others could name any client in one. */
import { parseEndpoint } from "../../net/endpoint.ts";
import { bitsOf, parseIp } from "../../net/ip.ts";

/** Addresses whose answer is remembered: they may be forged. */
const MAX_REMEMBERED = 4096;

/** @param prefixes addresses and prefixes, `10.0.0.1` or `10.0.0.0/8`. */
export const createBalancers = (prefixes: readonly string[]): ((address: string) => boolean) => {
  const listed = prefixes.flatMap((text) => parseEndpoint(text) ?? []);
  const known = new Map<string, boolean>();
  const isListed = (address: string): boolean => {
    const ip = parseIp(address);
    return (
      ip !== undefined &&
      listed.some(
        ({ family, prefix, length }) => family === ip.family && ip.value >> BigInt(bitsOf(family) - length) === prefix,
      )
    );
  };
  return (address) => {
    let answer = known.get(address);
    if (answer === undefined) {
      if (known.size >= MAX_REMEMBERED) known.clear();
      known.set(address, (answer = isListed(address)));
    }
    return answer;
  };
};
