/** Limits of the relay that every relaying command lets users set, beyond manifests and configs. */
import { InvalidArgumentError, type Command } from "commander";
import { defaultLimits } from "../dataplane/limits.ts";
import type { RelayTuning } from "../dataplane/relay.ts";

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
  readonly proxyProtocol?: boolean;
  readonly strictAddressFamily?: boolean;
  readonly mobility: boolean;
  readonly passwordAlgorithms?: boolean;
  readonly natDiscovery?: boolean;
}

const parseNumber = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("expected a whole number");
  return Number(text);
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
    .option("--proxy-protocol", "connections to TCP and TLS listeners begin with a PROXY header, version 2")
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
    );

export const tuningOf = (flags: LimitFlags): RelayTuning => ({
  proxyProtocol: flags.proxyProtocol === true,
  strictAddressFamily: flags.strictAddressFamily === true,
  mobility: flags.mobility,
  passwordAlgorithms: flags.passwordAlgorithms === true,
  natDiscovery: flags.natDiscovery === true,
  limits: {
    ...given("maxAllocations", flags.maxAllocations),
    ...given("maxPermissions", flags.maxPermissions),
    ...given("maxHandshakes", flags.maxHandshakes),
    ...given("maxIdleConnections", flags.maxIdleConnections),
    userBytesPerSecond: bytesOf(flags.maxUserKbps),
    listenerBytesPerSecond: bytesOf(flags.maxListenerKbps),
    userRequestsPerSecond: flags.maxUserRequestsPerSecond,
    listenerRequestsPerSecond: flags.maxRequestsPerSecond,
    unprovenAnswersPerSecond: flags.maxUnprovenAnswersPerSecond,
  },
});
