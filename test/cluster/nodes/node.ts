/**
 * A node: containerd, kubelet and kube-proxy in namespaces of their own. The first process in them is a shell; when it ends
 * everything in them does, pods included.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { tiedToUs } from "../process.ts";
import { filesOf, podsOf, type NodeSettings } from "./settings.ts";
import { FLAG, networkOf, run, type Addresses, type FamilyName, type Network, type Wire } from "./wire.ts";

export interface RealNode extends Network {
  readonly name: string;
  readonly number: number;
  readonly addresses: Addresses;
  /** What Kubernetes knows as its external addresses, if it has some. */
  readonly external: Addresses | undefined;
  /** Rejects when a program of it has ended by itself, with its last lines. */
  readonly failed: Promise<never>;
  /** Pulls the plug: nothing on the node runs on. */
  stop(): Promise<void>;
}

export interface NodeOptions extends NodeSettings {
  /** Of kubelet, kube-proxy and others, as one. */
  readonly program: string;
  readonly images: readonly string[];
  /** It has external addresses, and a cloud, which is `nodes.ts`, tells Kubernetes which. */
  readonly hasExternal: boolean | "translated";
  /** The program that decides on new connections of pods; nobody does, if undefined. */
  readonly enforcer: string | undefined;
}

/** The taint that kubelet gives nodes of which a cloud has not told the addresses yet. */
export const UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized";

/**
 * The rules of iptables are those of kube-network-policies: what pods begin is decided on, once its final destination is known;
 * what the node itself begins, and ICMP, is not.
 * What kubelet sets of the whole machine is files here. Logs, state and all that programs keep below `/var/lib` are in the
 * node's folder. It says each step, and what has ended.
 */
const SCRIPT = `set -u
cd "$folder"
mount --make-rprivate /
hostname "$name"
ip link set lo up
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/netns log lib fake kubelet
mount --bind log /var/log
mount --bind lib /var/lib
mkdir -p /var/lib/cni /var/lib/kubelet
fake() { file=fake/$(echo $1 | tr / _); echo $2 > $file; mount --bind $file /proc/sys/$1; }
fake vm/overcommit_memory 1
fake vm/panic_on_oom 0
fake kernel/panic 10
fake kernel/panic_on_oops 1
fake kernel/keys/root_maxkeys 1000000
fake kernel/keys/root_maxbytes 25000000
mount --bind kubelet kubelet
mount --make-rshared kubelet
echo plugged
read -r _
echo 1 > /proc/sys/net/ipv4/tcp_orphan_retries
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
start() { what=$1; shift; { "$@" > $what.log 2>&1; echo "ended $what"; } & }
start containerd containerd --config containerd.toml
until ctr version > /dev/null 2>&1; do sleep 0.05; done
for image in $images; do ctr -n k8s.io images import "$image" >> import.log 2>&1 || echo "ended import"; done
echo waiting
until [ -s "$kubeconfig" ]; do sleep 0.05; done
if [ -n "$enforcer" ]; then
  for iptables in iptables ip6tables; do
    rule() { $iptables -w -t mangle -A POSTROUTING "$@" || echo "ended node"; }
    rule -p $([ $iptables = iptables ] && echo icmp || echo ipv6-icmp) -j ACCEPT
    rule -m owner --uid-owner 0 -j ACCEPT
    rule -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
    rule -j NFQUEUE --queue-num 100
  done
  start enforcer "$enforcer" -kubeconfig="$kubeconfig" -node="$name"
fi
start kubelet "$program" kubelet --config=kubelet.yaml --kubeconfig="$kubeconfig" --root-dir="$folder/kubelet" \\
  --cert-dir=pki --hostname-override="$name" --node-ip="$addresses" $cloud --v=2
start kube-proxy "$program" kube-proxy --config=kube-proxy.yaml --v=2
exec sleep infinity`;

/** Resolves when the node has its images, and waits for the kubeconfig. */
export const startNode = async (wire: Wire, options: NodeOptions): Promise<RealNode> => {
  const { name, number, folder, kubeconfig, program, images, hasExternal, enforcer = "", families } = options;
  for (const [path, text] of Object.entries(filesOf(options))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const addresses = wire.at(10 + number);
  const external = hasExternal !== false ? wire.at(100 + number) : undefined;
  const [command, ...args] = tiedToUs("KILL", [
    "unshare",
    "--net",
    "--mount",
    "--pid",
    "--uts",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "sh",
    "-c",
    SCRIPT,
  ]);
  const child = spawn(command, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"],
      name,
      folder,
      program,
      kubeconfig,
      enforcer,
      images: images.join(" "),
      addresses: families.map((family) => addresses[family]).join(","),
      cloud: hasExternal !== false ? "--cloud-provider=external" : "",
    },
  });
  child.stderr.pipe(createWriteStream(join(folder, "node.log")));
  const ended = once(child, "exit");
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const isWaiting = Promise.withResolvers<void>();
  const lastLines = (what: string): string =>
    readFileSync(join(folder, `${what}.log`), "utf8")
      .trimEnd()
      .split("\n")
      .slice(-5)
      .join("\n");
  let isStopping = false;
  const fail = (what: string): void => {
    if (!isStopping) failed.reject(new Error(`${what} of ${name} has ended:\n${lastLines(what)}`));
  };
  void ended.then(() => fail("node"));
  const pid = child.pid ?? 0;
  const plug = (): void => {
    wire.plug(name, pid, 10 + number, families);
    for (const family of families) {
      const ip = (...args: readonly string[]): string => run(networkOf(pid).inside(["ip", FLAG[family], ...args]));
      if (external !== undefined && hasExternal === true) ip("address", "add", external[family], "dev", "eth0");
      ip("route", "add", "default", "via", wire.addresses[family]);
    }
  };
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [word, what = ""] = line.split(" ");
    if (word === "plugged") {
      try {
        plug();
        child.stdin.write("\n");
      } catch (error) {
        failed.reject(error);
      }
    } else if (word === "waiting") isWaiting.resolve();
    else if (word === "ended") fail(what);
  });
  await Promise.race([isWaiting.promise, failed.promise]);

  return {
    ...networkOf(pid),
    name,
    number,
    addresses,
    external,
    failed: failed.promise,
    async stop() {
      isStopping = true;
      child.kill("SIGKILL");
      await ended;
    },
  };
};

/** Lets the pods of each node reach those of the others, and the control plane. */
export const routeBetween = (wire: Wire, families: readonly FamilyName[], nodes: readonly RealNode[]): void => {
  for (const from of [wire, ...nodes])
    for (const to of nodes)
      if (from !== to) {
        const pods = podsOf(to.number);
        for (const family of families)
          run(from.inside(["ip", FLAG[family], "route", "add", pods[family], "via", to.addresses[family]]));
      }
};
