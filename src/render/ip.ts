/** IP literals and prefixes, read as strictly as Go's `net` does, so that the dataplane never sees what it would refuse. */

const isOctet = (text: string): boolean => /^(0|[1-9][0-9]{0,2})$/.test(text) && Number(text) <= 255;

export const isIPv4 = (text: string): boolean => {
  const octets = text.split(".");
  return octets.length === 4 && octets.every(isOctet);
};

const groups = (text: string): readonly string[] => (text === "" ? [] : text.split(":"));

export const isIPv6 = (text: string): boolean => {
  if (!text.includes(":")) return false;
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const words = halves.flatMap(groups);
  const last = words.at(-1);
  const dotted = last !== undefined && last.includes(".");
  // An embedded IPv4 address may only end the text: `::ffff:192.0.2.1`, not `192.0.2.1::`.
  if (dotted && (!isIPv4(last) || !text.endsWith(last))) return false;
  const hex = dotted ? words.slice(0, -1) : words;
  if (!hex.every((word) => /^[0-9a-fA-F]{1,4}$/.test(word))) return false;
  const length = hex.length + (dotted ? 2 : 0);
  return halves.length === 2 ? length < 8 : length === 8;
};

export const isIP = (text: string): boolean => isIPv4(text) || isIPv6(text);

/** `ADDRESS/LENGTH`. */
export const isPrefix = (text: string): boolean => {
  const slash = text.lastIndexOf("/");
  if (slash < 0) return false;
  const address = text.slice(0, slash);
  const length = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(length)) return false;
  return isIPv4(address) ? Number(length) <= 32 : isIPv6(address) && Number(length) <= 128;
};
