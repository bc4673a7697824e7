/** `npm run cluster -- --dir DIR`: a cluster to try things on, until it is interrupted. */
import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { testedVersion, MissingTool } from "./binaries.ts";
import { startCluster, type ClusterOptions } from "./cluster.ts";
import type { GatewayApi } from "./crds.ts";
import { diskOf, memoryOfAll } from "./usage.ts";

interface Flags {
  readonly dir: string;
  readonly kubernetes: string;
  readonly port?: number;
  readonly without: ClusterOptions["without"];
  readonly gatewayApi: GatewayApi;
  /** `true`: one. */
  readonly node?: number | true;
  readonly proxyMode: "nftables" | "iptables";
  readonly image?: readonly string[];
}

const portOf = (text: string): number => {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError("A port is 1 to 65535.");
  return port;
};

const countOf = (text: string): number => {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 9) throw new InvalidArgumentError("There are 1 to 9 nodes.");
  return count;
};

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const given = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => given.abort(signal));

// npm that is killed outright does not pass the signal on.
if (process.env["npm_lifecycle_event"] === "cluster") {
  const npm = process.ppid;
  setInterval(() => void (process.ppid !== npm && given.abort("npm has ended")), 500).unref();
}

const run = async (flags: Flags): Promise<void> => {
  const { dir, kubernetes, port, without, gatewayApi, node, proxyMode, image = [] } = flags;
  const began = performance.now();
  const isStopped = new Promise<void>((done) => given.signal.addEventListener("abort", () => done(), { once: true }));
  const cluster = await startCluster({
    directory: resolve(dir),
    version: kubernetes,
    without: without ?? [],
    gatewayApi,
    ...(port === undefined ? {} : { port }),
    ...(node === undefined ? {} : { nodes: { count: node === true ? 1 : node, proxyMode, images: image } }),
    say,
    signal: given.signal,
  });
  const { gitVersion } = await cluster.client.request<{ gitVersion: string }>("/version");
  say(`Kubernetes ${gitVersion} at ${cluster.url}`);
  say(`export KUBECONFIG=${cluster.kubeconfig}`);
  for (const { name, addresses } of cluster.nodes?.all ?? []) say(`${name} ${addresses.v4} ${addresses.v6}`);
  if (cluster.nodes !== undefined) {
    const { kubectl, outside, wire } = cluster.nodes;
    say(`link: ${wire.link}`);
    say(`kubectl: ${kubectl.join(" ")}`);
    say(`a shell of a client outside: ${outside.inside(["sh"]).join(" ")}`);
    say(`memory ${megabytes(memoryOfAll())}, disk ${megabytes(diskOf(cluster.directory))}`);
  }
  say(`cluster ready after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  try {
    await Promise.race([isStopped, cluster.failed]);
  } finally {
    await cluster.stop();
  }
};

const command = new Command("cluster")
  .description("Runs etcd, the API server and the controller manager of Kubernetes, and nodes if asked to.")
  .requiredOption("--dir <folder>", "where data, logs and the kubeconfig go")
  .option("--kubernetes <version>", "version of Kubernetes", testedVersion)
  .option("--port <number>", "port of the API server (default: a free one)", portOf)
  .addOption(new Option("--without <api...>", "an API that the server does not have").choices(["endpointslices"]))
  .addOption(
    new Option("--gateway-api <versions>", "versions in which UDPRoute is served")
      .choices(["standard", "both", "v1alpha2", "v1", "none"])
      .default("both"),
  )
  .option(
    "--node [number]",
    "real nodes, which run pods; needs Linux and root (default: none; without a number: 1)",
    countOf,
  )
  .addOption(
    new Option("--proxy-mode <mode>", "how kube-proxy does it").choices(["nftables", "iptables"]).default("nftables"),
  )
  .option("--image <archive...>", "an image that nodes have, as npm run image makes it")
  .action(run);

try {
  await command.parseAsync();
  process.exit();
} catch (error) {
  // A build that was under way ends with this process.
  if (given.signal.aborted) process.exit();
  process.stderr.write(`${error instanceof MissingTool ? error.message : String(error)}\n`);
  process.exit(1);
}
