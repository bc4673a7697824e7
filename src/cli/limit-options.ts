/** Limits of the relay that every relaying command lets users set, beyond manifests and configs. */
import { InvalidArgumentError, type Command } from "commander";
import { defaultLimits } from "../dataplane/limits.ts";
import type { RelayTuning } from "../dataplane/relay.ts";
import { familyOf, isWildcard } from "../net/address.ts";
import { parseIp } from "../net/ip.ts";
import { parsePortRange, type PortRange } from "../net/port-range.ts";
import { isIP, isPrefix } from "../net/ip.ts";

export interface LimitFlags {
  readonly maxAllocations?: number;
  readonly maxPermissions?: number;
  readonly maxUserKbps: number;
  readonly maxListenerKbps: number;
  readonly maxUserRequestsPerSecond: number;
  readonly maxRequestsPerSecond: number;
  readonly maxUnprovenAnswersPerSecond: number;
  readonly maxHandshakes?: number;
  readonly maxIdleConnections?: number;
  readonly maxHttpConnections?: number;
  readonly proxyProtocol?: boolean;
  readonly proxyProtocolUdp?: readonly string[];
  readonly strictAddressFamily?: boolean;
  readonly relayPorts?: PortRange;
  readonly advertise?: readonly string[];
  readonly denyPrivatePeers?: boolean;
  readonly mobility: boolean;
  readonly passwordAlgorithms?: boolean;
  readonly natDiscovery?: boolean;
  readonly busyPoll: number;
}

/** Timers of a thread may be delayed as much. */
const MAX_BUSY_POLL_MICROSECONDS = 10_000;

const parseNumber = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("expected a whole number");
  return Number(text);
};

const parseMicroseconds = (text: string): number => {
  const value = parseNumber(text);
  if (value > MAX_BUSY_POLL_MICROSECONDS)
    throw new InvalidArgumentError(`expected ${MAX_BUSY_POLL_MICROSECONDS} at most`);
  return value;
};

const parsePorts = (text: string): PortRange => {
  const range = parsePortRange(text);
  if (range === undefined) throw new InvalidArgumentError("expected FROM-TO, ports from 1 to 65535");
  return range;
};

const parseAdvertised = (text: string, before: readonly string[] = []): readonly string[] => {
  const ip = parseIp(text);
  if (ip === undefined || isWildcard(ip.text)) throw new InvalidArgumentError("expected an IP address");
  if (before.some((address) => familyOf(address) === ip.family))
    throw new InvalidArgumentError(`there is another IPv${ip.family} address`);
  return [...before, ip.text];
};

const parsePrefixes = (text: string): readonly string[] => {
  const prefixes = text.split(",").map((one) => one.trim());
  if (!prefixes.every((one) => isIP(one) || isPrefix(one)))
    throw new InvalidArgumentError("expected addresses or prefixes, separated by commas");
  return prefixes;
};

/** Kilobits are thousands of bits. */
const bytesOf = (kbps: number): number => kbps * 125;

const given = <K extends string>(name: K, value: number | undefined): { readonly [name in K]?: number } =>
  value === undefined ? {} : ({ [name]: value } as { readonly [name in K]?: number });

/** Adds the flags; 0 means no limit if that is the default. */
export const addLimitOptions = (command: Command): Command =>
  command
    .option("--max-allocations <n>", "allocations in all (default: 50000)", parseNumber)
    .option("--max-permissions <n>", "permissions of an allocation (default: 128)", parseNumber)
    .option("--max-user-kbps <n>", "data of a user each way, in kbit/s; 0: no limit", parseNumber, 0)
    .option("--max-listener-kbps <n>", "data of a listener each way, in kbit/s; 0: no limit", parseNumber, 0)
    .option("--max-user-requests-per-second <n>", "requests of a user; 0: no limit", parseNumber, 0)
    .option("--max-requests-per-second <n>", "requests at a listener; 0: no limit", parseNumber, 0)
    .option(
      "--max-unproven-answers-per-second <n>",
      "answers over UDP that are longer than the request, to an address that has not authenticated; 0: no limit",
      parseNumber,
      defaultLimits.unprovenAnswersPerSecond,
    )
    .option("--max-handshakes <n>", "TLS and DTLS handshakes under way at a listener (default: 1024)", parseNumber)
    .option(
      "--max-idle-connections <n>",
      "connections without an allocation at a listener (default: 4096)",
      parseNumber,
    )
    .option(
      "--max-http-connections <n>",
      "connections that a listener passes on to its HTTP backend (default: 4096)",
      parseNumber,
    )
    .option("--proxy-protocol", "connections to TCP and TLS listeners begin with a PROXY header, version 1 or 2")
    .option(
      "--proxy-protocol-udp <prefixes>",
      "load balancers, as addresses or prefixes separated by commas, whose datagrams to UDP listeners begin with a PROXY header, version 2",
      parsePrefixes,
    )
    .option("--relay-ports <from-to>", "ports of relayed addresses (default: any that the system chooses)", parsePorts)
    .option(
      "--advertise <ip>",
      "relayed address that clients receive; may be given again, for the other family",
      parseAdvertised,
    )
    .option(
      "--deny-private-peers",
      "prefixes wider than a private block (10.0.0.0/8, …, fc00::/7) do not admit the addresses in it",
    )
    .option(
      "--strict-address-family",
      "refuse (440) clients that name no address family where the relay has IPv6 only, instead of giving them IPv6",
    )
    .option("--no-mobility", "clients cannot move their allocation to another address (RFC 8016)")
    .option(
      "--password-algorithms",
      "offer clients SHA-256 for their credentials (RFC 8489); challenges are 28 bytes longer, more than three times the shortest request",
    )
    .option(
      "--nat-discovery",
      "UDP listeners with two addresses answer NAT behaviour discovery (RFC 5780), also on the next port",
    )
    .option(
      "--busy-poll <µs>",
      "after a packet, look for the next one this long before a thread sleeps: shorter delays, for up to a core",
      parseMicroseconds,
      0,
    );

export const tuningOf = (flags: LimitFlags): RelayTuning => ({
  proxyProtocol: flags.proxyProtocol === true,
  ...(flags.proxyProtocolUdp === undefined ? {} : { udpBalancers: flags.proxyProtocolUdp }),
  strictAddressFamily: flags.strictAddressFamily === true,
  deniesPrivate: flags.denyPrivatePeers === true,
  ...(flags.relayPorts === undefined ? {} : { relayPorts: flags.relayPorts }),
  ...(flags.advertise === undefined ? {} : { advertise: flags.advertise }),
  mobility: flags.mobility,
  passwordAlgorithms: flags.passwordAlgorithms === true,
  natDiscovery: flags.natDiscovery === true,
  busyPollMicroseconds: flags.busyPoll,
  limits: {
    ...given("maxAllocations", flags.maxAllocations),
    ...given("maxPermissions", flags.maxPermissions),
    ...given("maxHandshakes", flags.maxHandshakes),
    ...given("maxIdleConnections", flags.maxIdleConnections),
    ...given("maxHttpConnections", flags.maxHttpConnections),
    userBytesPerSecond: bytesOf(flags.maxUserKbps),
    listenerBytesPerSecond: bytesOf(flags.maxListenerKbps),
    userRequestsPerSecond: flags.maxUserRequestsPerSecond,
    listenerRequestsPerSecond: flags.maxRequestsPerSecond,
    unprovenAnswersPerSecond: flags.maxUnprovenAnswersPerSecond,
  },
});
