/** `turnpike operator` as a process, on a cluster of the test file's own with the smallest world in it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { scenarios } from "../conformance/scenario.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { perform } from "./recorded.ts";
import { resetCluster } from "./reset.ts";

const command = fileURLToPath(new URL("../../bin/turnpike", import.meta.url));
export interface Ports {
  readonly discovery: number;
  readonly metrics: number;
  readonly health: number;
  readonly admin: number;
}

export interface OperatorCommand {
  readonly cluster: Cluster;
  /** A folder of the test's own; the log is in `journal`. */
  readonly root: string;
  /** Of the process that runs. */
  readonly pid: number;
  /** Resolves to the ports that it bound. */
  start(args?: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ports>;
}

/** Registers the hooks of a test file. */
export const useOperatorCommand = (): OperatorCommand => {
  let cluster: Cluster;
  let root: string;
  let child: ChildProcess | undefined;

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    await cluster?.stop();
  });
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "turnpike-command-"));
    await resetCluster(cluster.client);
    const basic = scenarios.find(({ name }) => name === "basic-udp");
    for (const operation of basic!.stages[0]!.do) await perform(cluster.client, operation);
  });
  afterEach(async () => {
    if (child?.exitCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    }
    child = undefined;
    rmSync(root, { recursive: true, force: true });
  });

  const start: OperatorCommand["start"] = async (args = [], env = {}) => {
    const free = "127.0.0.1:0";
    const ours = ["operator", "--kubeconfig", cluster.kubeconfig, "--journal", join(root, "journal")];
    const addresses = [
      "-config-discovery-address",
      "-metrics-bind-address",
      "-health-probe-bind-address",
      "-admin-bind-address",
    ];
    const spawned = spawn(command, [...ours, ...addresses.flatMap((flag) => [flag, free]), ...args], {
      stdio: ["ignore", "inherit", "pipe"],
      env: { ...process.env, ...env },
    });
    child = spawned;
    const said: string[] = [];
    return new Promise((resolve, reject) => {
      createInterface({ input: spawned.stderr }).on("line", (line) => {
        said.push(line);
        if (line.includes("operator started")) resolve((JSON.parse(line) as { readonly ports: Ports }).ports);
      });
      spawned.once("exit", () => reject(new Error(`it ended: ${said.join("\n")}`)));
    });
  };

  return {
    get cluster() {
      return cluster;
    },
    get root() {
      return root;
    },
    get pid() {
      return child?.pid ?? 0;
    },
    start,
  };
};
