/** `sockaddr_in` and `sockaddr_in6` for calls that are made once per socket. */
import { formatAddress, type TransportAddress } from "../../../net/address.ts";
import { bytesOf, parseIp, textOfBytes } from "../../../net/ip.ts";
import { AF_INET, AF_INET6, sockaddrLength, type Sys } from "./sys.ts";

/** The reverse. */
export const addressOf = (bytes: Buffer): TransportAddress => ({
  address: bytes.readUInt16LE(0) === AF_INET ? textOfBytes(bytes, 4, 4) : textOfBytes(bytes, 8, 16),
  port: bytes.readUInt16BE(2),
});

/** @throws RangeError if `address` is not an IP literal. */
export const sockaddrOf = ({ address, port }: TransportAddress): Buffer => {
  const ip = parseIp(address);
  if (ip === undefined) throw new RangeError(`${JSON.stringify(address)} is no IP address`);
  const bytes = Buffer.alloc(sockaddrLength(ip.family));
  bytes.writeUInt16LE(ip.family === 4 ? AF_INET : AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(bytesOf(ip), ip.family === 4 ? 4 : 8);
  return bytes;
};

/**
 * Binds `fd` to `at`, with what `prepare` sets before and `finish` after. @returns `fd`. @throws the error of the system call,
 * with the address; `fd` is closed then.
 */
export const bound = (
  sys: Sys,
  fd: number,
  at: TransportAddress,
  prepare: () => void,
  finish: () => void = () => undefined,
): number => {
  try {
    prepare();
    sys.bind(fd, sockaddrOf(at));
    finish();
    return fd;
  } catch (error) {
    sys.close(fd);
    if (error instanceof Error) error.message += ` ${formatAddress(at.address, at.port)}`;
    throw error;
  }
};
