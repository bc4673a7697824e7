/**
 * A network of its own for a test (Linux, root): this process leaves the machine's network for a new one, with a bridge
 * on which processes in further networks, the pods, have an address each. Nothing of it outlives the processes.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { statSync } from "node:fs";
import { once } from "node:events";
import { createInterface } from "node:readline";
import koffi from "koffi";
import { tiedToUs } from "../cluster/process.ts";

const CLONE_NEWNET = 0x40000000;
const BRIDGE = "pods";

/** Address of this process on the bridge, as pods see it. */
export const HOST_ADDRESS = "10.244.0.1";
const PREFIX_BITS = 16;

const run = (command: string, ...args: readonly string[]): void => {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
};

/** To be called before anything of this process uses the network. */
export const enterOwnNetwork = (): void => {
  const unshare = koffi.load(null).func("int unshare(int flags)") as (flags: number) => number;
  if (unshare(CLONE_NEWNET) !== 0)
    throw new Error(`no network of its own for this test (error ${koffi.errno()}): it needs Linux and root`);
  run("ip", "link", "set", "lo", "up");
  // An address of its own: else it takes that of a pod, and changes it, a packet or two being lost, when that pod goes.
  run("ip", "link", "add", BRIDGE, "address", "02:00:00:00:00:01", "type", "bridge");
  run("ip", "address", "add", `${HOST_ADDRESS}/${PREFIX_BITS}`, "dev", BRIDGE);
  run("ip", "link", "set", BRIDGE, "up");
  // A bridge without a port counts as unplugged, and its addresses as not there.
  run("ip", "link", "add", "plug", "type", "veth", "peer", "name", "socket");
  run("ip", "link", "set", "plug", "master", BRIDGE, "up");
  run("ip", "link", "set", "socket", "up");
};

/** A further address of this process on the bridge. */
export const addAddress = (address: string): void =>
  run("ip", "address", "add", `${address}/${PREFIX_BITS}`, "dev", BRIDGE);

let links = 0;

export interface PodProcess {
  readonly child: ChildProcess;
  /** This end of its link. */
  readonly link: string;
  /** Everything it has printed. */
  readonly output: string;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

/** Folders and files of this machine by where a pod sees them. What else is beside such a folder, it does not see. */
export type Mounts = Readonly<Record<string, string>>;

const mountCommands = (mounts: Mounts): readonly string[] => {
  const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const all = Object.entries(mounts).toSorted();
  const isFile = (source: string): boolean => statSync(source).isFile();
  const files = all.filter(([, source]) => isFile(source));
  const folders = all.filter(([, source]) => !isFile(source));
  const above = new Set(folders.map(([path]) => path.split("/").slice(0, 3).join("/")));
  return [
    ...files.map(([path, source]) => `mount --bind ${quote(source)} ${quote(path)}`),
    // Reached by another way once their place is covered.
    ...folders.map(([, source], index) => `exec ${index + 3}<${quote(source)}`),
    ...[...above].map((path) => `mkdir -p ${quote(path)} && mount -t tmpfs tmpfs ${quote(path)}`),
    ...folders.flatMap(([path], index) => [
      `mkdir -p ${quote(path)}`,
      `mount --bind /proc/self/fd/${index + 3} ${quote(path)}`,
      `exec ${index + 3}<&-`,
    ]),
  ];
};

/** Starts `command` in a network of its own, where it has `address` on `eth0`. */
export const startInPod = async (
  address: string,
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  folder: string,
  mounts: Mounts = {},
): Promise<PodProcess> => {
  // It says that its network is there, and waits until that is complete.
  const script = [...mountCommands(mounts), "echo ready", "read -r _", 'exec "$@" <&-'].join(" && ");
  const namespaces = Object.keys(mounts).length > 0 ? ["--net", "--mount"] : ["--net"];
  const [program, ...args] = tiedToUs("KILL", ["unshare", ...namespaces, "sh", "-c", script, "sh", ...command]);
  const child = spawn(program, args, {
    cwd: folder,
    env: { PATH: process.env["PATH"], ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const lines = createInterface({ input: child.stdout });
  await Promise.race([
    once(lines, "line"),
    ended.then(() => {
      throw new Error(`no pod at ${address}: ${command.join(" ")}`);
    }),
  ]);
  let output = "";
  lines.on("line", (line) => (output += `${line}\n`));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));

  const pid = String(child.pid);
  const link = `veth${(links += 1)}`;
  // Whoever gets the address later has this one too: nobody need learn that it is another.
  const hardware = ["02", "00", ...address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"))].join(
    ":",
  );
  run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "address", hardware, "netns", pid);
  run("ip", "link", "set", link, "master", BRIDGE, "up");
  const inside = (...rest: readonly string[]): void => run("nsenter", "--net", "--target", pid, "ip", ...rest);
  inside("link", "set", "lo", "up");
  inside("address", "add", `${address}/${PREFIX_BITS}`, "dev", "eth0");
  inside("link", "set", "eth0", "up");
  inside("route", "add", "default", "via", HOST_ADDRESS);
  child.stdin.end("\n");
  return {
    child,
    link,
    get output() {
      return output;
    },
    ended,
  };
};
