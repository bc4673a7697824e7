/**
 * The networks of a cluster with nodes (Linux, root). The wire is a network namespace with a bridge; the control plane is
 * in it, nodes and a client outside are plugged into it. This machine has a link to it, and every network goes with its
 * processes.
 *
 *     198.18.N.1    the control plane        198.18.N.11…    nodes        198.18.N.240…  addresses of load balancers
 *     198.18.N.254  this machine             198.18.N.200    the client outside
 *
 * The same in IPv6, below fd98:18:N::/64. N is free on this machine: clusters run beside each other.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { tiedToUs } from "../process.ts";

/** Of both families, without their lengths. */
export interface Addresses {
  readonly v4: string;
  readonly v6: string;
}

export type FamilyName = keyof Addresses;

/** The families that a cluster has, the one first that it prefers. */
export const DUAL: readonly FamilyName[] = ["v4", "v6"];
export const IPV6: readonly FamilyName[] = ["v6"];

export interface Network {
  /** A process in it: the network is there as long as one is. */
  readonly pid: number;
  /** The command, to be run in the network. */
  inside(command: readonly string[]): readonly string[];
}

export interface Wire extends Network {
  /** Of the control plane. */
  readonly addresses: Addresses;
  /** Name of this machine's link to it; it goes a moment after the last process in the network. */
  readonly link: string;
  /** The one of `host` on the wire, 2 to 253. */
  at(host: number): Addresses;
  /** Gives the network of the process `pid` an `eth0` at the wire, and an address of each family on it. */
  plug(name: string, pid: number, host: number, families: readonly FamilyName[]): void;
  /** The same, but it reaches none but `others`. */
  plugOnly(
    name: string,
    pid: number,
    host: number,
    families: readonly FamilyName[],
    others: readonly Addresses[],
  ): void;
  close(): Promise<void>;
}

const BRIDGE = "wire";
const OURS = 254;
export const OUTSIDE = 200;
/** As large as the addresses of this machine in the range for tests of networks (RFC 2544) have room for. */
const LARGEST = 255;

/** @throws what the command printed. */
export const run = (command: readonly string[]): string => {
  const [program = "", ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command.join(" ")}: ${error?.message ?? stderr.trim()}`);
  return stdout;
};

export const networkOf = (pid: number): Network => ({
  pid,
  inside: (command) => ["nsenter", `--net=/proc/${pid}/ns/net`, ...command],
});

/** Connections of programs that are gone would keep a network for minutes. */
const HOLD = "ip link set lo up && echo 1 > /proc/sys/net/ipv4/tcp_orphan_retries && echo && exec cat";

/** A network with nothing in it but a process that holds it. */
export const openNetwork = async (): Promise<Network & { close(): Promise<void> }> => {
  const [program, ...args] = tiedToUs("KILL", ["unshare", "--net", "sh", "-c", HOLD]);
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  const ended = once(child, "exit");
  const complaints = child.stderr.toArray();
  const isReady = await Promise.race([once(child.stdout, "data").then(() => true), ended.then(() => false)]);
  if (!isReady)
    throw new Error(
      `no network of its own: ${Buffer.concat(await complaints)
        .toString("utf8")
        .trim()}`,
    );
  return {
    ...networkOf(child.pid ?? 0),
    async close() {
      child.kill("SIGKILL");
      await ended;
    },
  };
};

const addressesOf = (wire: number, host: number): Addresses => ({
  v4: `198.18.${wire}.${host}`,
  v6: `fd98:18:${wire}::${host}`,
});

const WHOLE = { v4: 24, v6: 64 };
export const FLAG = { v4: "-4", v6: "-6" } as const;
const ALONE = { v4: 32, v6: 128 };

/** What gives a link of a network an address in each of `families`, at once. */
const addressCommands = (
  link: string,
  addresses: Addresses,
  lengths = WHOLE,
  families = DUAL,
): readonly (readonly string[])[] => [
  ...families.map((family) => [
    "ip",
    "address",
    "add",
    `${addresses[family]}/${lengths[family]}`,
    "dev",
    link,
    ...(family === "v6" ? ["nodad"] : []),
  ]),
  ["ip", "link", "set", link, "up"],
];

const nameOf = (wire: number): string => `turnpike${wire}`;

/** Links this machine to the network. Its name is taken by whoever comes first. @returns N. */
const claim = ({ pid }: Network): number => {
  // From 1: IPv6 addresses are written without a group of zero, and tests compare what is written.
  for (let wire = 1; wire <= LARGEST; wire++) {
    const { status, stderr } = spawnSync(
      "ip",
      ["link", "add", nameOf(wire), "type", "veth", "peer", "name", "machine", "netns", String(pid)],
      { encoding: "utf8" },
    );
    if (status === 0) return wire;
    if (!stderr.includes("File exists")) throw new Error(`no link to a network of its own: ${stderr.trim()}`);
  }
  throw new Error(`${LARGEST} clusters with nodes run on this machine`);
};

export const openWire = async (): Promise<Wire> => {
  const network = await openNetwork();
  try {
    const wire = claim(network);
    const at = (host: number): Addresses => addressesOf(wire, host);
    for (const command of addressCommands(nameOf(wire), at(OURS))) run(command);
    // See `outside.ts`.
    for (const family of ["ipv4", "ipv6"])
      writeFileSync(`/proc/sys/net/${family}/conf/${nameOf(wire)}/accept_redirects`, "0");
    const inside = (...command: readonly string[]): string => run(network.inside(command));
    inside("ip", "link", "add", BRIDGE, "type", "bridge");
    for (const command of addressCommands(BRIDGE, at(1))) inside(...command);
    inside("ip", "link", "set", "machine", "master", BRIDGE, "up");
    const link = (name: string, pid: number): void => {
      inside("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", String(pid));
      inside("ip", "link", "set", name, "master", BRIDGE, "up");
    };
    return {
      ...network,
      link: nameOf(wire),
      addresses: at(1),
      at,
      plug(name, pid, host, families) {
        link(name, pid);
        for (const command of addressCommands("eth0", at(host), WHOLE, families)) run(networkOf(pid).inside(command));
      },
      plugOnly(name, pid, host, families, others) {
        const there = (...command: readonly string[]): string => run(networkOf(pid).inside(command));
        link(name, pid);
        for (const command of addressCommands("eth0", at(host), ALONE, families)) there(...command);
        for (const addresses of others)
          for (const family of families) there("ip", FLAG[family], "route", "add", addresses[family], "dev", "eth0");
      },
    };
  } catch (error) {
    await network.close();
    throw error;
  }
};
