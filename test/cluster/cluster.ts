/**
 * A Kubernetes cluster: etcd, API server and controller manager. Without nodes it is on loopback ports; there is no scheduler
 * and no kubelet then, so pods stay Pending until a test says otherwise. With nodes, pods run.
 *
 * @example
 * const cluster = await startCluster();
 * await cluster.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "media" } });
 * await cluster.stop();
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { freePort } from "../support/free-port.ts";
import { testedVersion, findBinaries, type Binaries, type Say } from "./binaries.ts";
import { prepareNodes, startNodes, type Nodes, type NodesOptions } from "./nodes/nodes.ts";
import { servicesOf } from "./nodes/settings.ts";
import { DUAL } from "./nodes/wire.ts";
import { formatHostPort } from "../../src/net/host-port.ts";
import { Client, type Access } from "./client.ts";
import { installGatewayApi, installOurs, type GatewayApi } from "./crds.ts";
import { credentialsIn, writeKubeconfig } from "./credentials.ts";
import { release, take } from "./lock.ts";
import { startServer, type ServerProcess } from "./process.ts";

export interface ClusterOptions {
  /** Where data, logs and the kubeconfig go, and stay; a temporary folder that `stop` removes, if absent. */
  readonly directory?: string;
  /** Of Kubernetes, such as 1.34.4; `KUBERNETES_VERSION` or the default one, if absent. */
  readonly version?: string;
  /** Of the API server; a free one, if absent. */
  readonly port?: number;
  /** APIs that the server does not have. */
  readonly without?: readonly "endpointslices"[];
  readonly gatewayApi?: GatewayApi;
  /** Real ones (Linux, root); none, if absent. */
  readonly nodes?: NodesOptions;
  /** Told what takes long. */
  readonly say?: Say;
  /** Ends a start that is under way, and what it has started. */
  readonly signal?: AbortSignal;
}

export interface Pausable {
  readonly pid: number;
  pause(): void;
  resume(): void;
}

export interface Cluster extends Access {
  readonly ca: string;
  readonly directory: string;
  /** Path of a kubeconfig of an administrator. */
  readonly kubeconfig: string;
  readonly client: Client;
  readonly apiServer: Pausable & {
    kill(): Promise<void>;
    /** Kills it if it runs; the new one has the same address, certificate and data. */
    restart(): Promise<void>;
  };
  readonly etcd: Pausable;
  readonly controllerManager: Pausable;
  readonly nodes: Nodes | undefined;
  /** Rejects when a server has ended by itself, with its last lines. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

/** The controllers that a cluster has work for. */
const controllers = [
  "clusterrole-aggregation-controller",
  "daemonset-controller",
  "deployment-controller",
  "endpoints-controller",
  "endpointslice-controller",
  "endpointslice-mirroring-controller",
  "garbage-collector-controller",
  "horizontal-pod-autoscaler-controller",
  "job-controller",
  "namespace-controller",
  "replicaset-controller",
  "serviceaccount-controller",
  "statefulset-controller",
] as const;

/** Those that one without nodes has no work for. */
const controllersOfNodes = [
  "disruption-controller",
  "node-lifecycle-controller",
  "pod-garbage-collector-controller",
  "root-ca-certificate-publisher-controller",
  "taint-eviction-controller",
] as const;

/** What the API server does otherwise without nodes: no pod wants a token, or to know where the server is. */
const alone = [
  "--disable-admission-plugins=ServiceAccount",
  "--service-cluster-ip-range=10.96.0.0/16",
  // No endpoints for the Service `kubernetes`: loopback addresses are not allowed in them.
  "--endpoint-reconciler-type=none",
];
const withNodes = ["--kubelet-preferred-address-types=InternalIP"];

const START_LIMIT_MS = 60_000;

const lastLines = (log: string): string => readFileSync(log, "utf8").trimEnd().split("\n").slice(-5).join("\n");

/** Throws if a server has ended or the start was given up. */
type Check = () => void;

const until = async (what: string, check: Check, isSo: () => Promise<boolean>): Promise<void> => {
  const limit = performance.now() + START_LIMIT_MS;
  while (!(await isSo().catch(() => false))) {
    check();
    if (performance.now() > limit) throw new Error(`${what}: not within ${START_LIMIT_MS / 1000} s`);
    await after(50);
  }
};

class PortTaken extends Error {}

/** One attempt: a port found free may be taken by the time a server wants it. */
const attempt = async (binaries: ForCluster, directory: string, options: ClusterOptions): Promise<Cluster> => {
  const { without = [], gatewayApi = "both", signal } = options;
  const [etcdPort, port] = await Promise.all([freePort("127.0.0.1"), options.port ?? freePort("127.0.0.1")]);
  const lock = join(directory, "lock");
  if (!take(lock)) throw new Error(`another cluster runs in ${directory}`);
  const kubeconfig = join(directory, "kubeconfig");
  rmSync(kubeconfig, { force: true });
  const nodes = binaries.nodes && (await openNodes(binaries.nodes, directory, kubeconfig, options));
  const credentials = credentialsIn(directory);
  const { families = DUAL } = options.nodes ?? {};
  const address = nodes?.wire.addresses[families[0] ?? "v4"] ?? "127.0.0.1";
  const url = `https://${formatHostPort({ host: address, port })}`;
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const at = (file: string): string => join(directory, file);
  const logs = {
    etcd: at("etcd.log"),
    apiServer: at("kube-apiserver.log"),
    controllerManager: at("kube-controller-manager.log"),
  };
  for (const log of Object.values(logs)) rmSync(log, { force: true });

  const running = new Set<ServerProcess>();
  let failure: Error | undefined;
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const start = (command: readonly string[], log: string): ServerProcess => {
    const server = startServer(nodes?.wire.inside(command) ?? command, log);
    running.add(server);
    void server.ended.then((how) => {
      if (!running.delete(server)) return;
      const text = `${log} (${how}):\n${lastLines(log)}`;
      failure ??= /address already in use/.test(text) ? new PortTaken(text) : new Error(text);
      failed.reject(failure);
    });
    return server;
  };
  /** Ends a server without calling it a failure. */
  const end = async (server: ServerProcess): Promise<void> => {
    running.delete(server);
    await server.kill();
  };
  const check: Check = () => {
    signal?.throwIfAborted();
    if (failure !== undefined) throw failure;
  };

  const etcdCommand = [
    binaries.etcd,
    `--data-dir=${at("etcd")}`,
    `--listen-client-urls=${etcdUrl}`,
    `--advertise-client-urls=${etcdUrl}`,
    "--listen-peer-urls=http://127.0.0.1:0",
    "--initial-advertise-peer-urls=http://127.0.0.1:0",
    "--initial-cluster=default=http://127.0.0.1:0",
    "--logger=zap",
  ];
  const apiServerCommand = [
    ...binaries.apiServer,
    `--etcd-servers=${etcdUrl}`,
    `--bind-address=${nodes === undefined ? address : "::"}`,
    `--advertise-address=${address}`,
    `--secure-port=${port}`,
    `--cert-dir=${at("certificates")}`,
    `--token-auth-file=${credentials.tokens}`,
    "--authorization-mode=RBAC",
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${credentials.signingKey}`,
    `--service-account-signing-key-file=${credentials.signingKey}`,
    "--allow-privileged=true",
    ...(nodes === undefined ? alone : [...withNodes, `--service-cluster-ip-range=${servicesOf(families)}`]),
    ...(without.includes("endpointslices") ? ["--runtime-config=discovery.k8s.io/v1=false"] : []),
  ];
  const startApiServer = (): ServerProcess => start(apiServerCommand, logs.apiServer);
  // Without endpoint slices it waits for them for ever, and serves all else.
  const readiness = without.includes("endpointslices") ? "/readyz?exclude=informer-sync" : "/readyz";
  const clients: Client[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all([...running].map(end));
    await nodes?.close();
    await Promise.all(clients.map((client) => client.close()));
    release(lock);
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
  };

  try {
    const etcd = start(etcdCommand, logs.etcd);
    let apiServer = startApiServer();
    const certificate = join(at("certificates"), "apiserver.crt");
    // Written before the server listens.
    await until("certificate of the API server", check, async () => existsSync(certificate));
    await until("API server", check, async () => {
      const client = new Client({ url, token: credentials.token, ca: readFileSync(certificate, "utf8") });
      return client
        .request(readiness)
        .then(() => true)
        .finally(() => client.close());
    });
    const ca = readFileSync(certificate, "utf8");
    const access = { url, token: credentials.token, ca };
    const client = new Client(access);
    clients.push(client);

    const installing = Promise.all([installOurs(client), installGatewayApi(client, gatewayApi)]);
    await Promise.race([installing, failed.promise, abortion(signal)]);

    // After the definitions: the garbage collector knows the kinds that it finds when it starts, new ones 30 s later.
    const internal = at("controller-manager.kubeconfig");
    writeKubeconfig(internal, { ...access, token: credentials.controllerManagerToken });
    const controllerManager = start(
      [
        ...binaries.controllerManager,
        `--kubeconfig=${internal}`,
        `--controllers=${[...controllers, ...(nodes === undefined ? [] : controllersOfNodes)]
          .filter((name) => !(name.includes("endpointslice") && without.includes("endpointslices")))
          .join(",")}`,
        ...(nodes === undefined
          ? []
          : [`--root-ca-file=${certificate}`, `--service-account-private-key-file=${credentials.signingKey}`]),
        "--leader-elect=false",
        "--secure-port=0",
        "--horizontal-pod-autoscaler-sync-period=1s",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
      ],
      logs.controllerManager,
    );
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } };
    await until("controller manager", check, async () => (await client.get(account)) !== undefined);

    // Nodes begin when it is there.
    writeKubeconfig(kubeconfig, access);
    if (nodes !== undefined) {
      start(nodes.scheduler, at("kube-scheduler.log"));
      nodes.failed.catch((error: unknown) => failed.reject(error));
      await Promise.race([nodes.ready(client), failed.promise, abortion(signal)]);
    }
    const pausable = (server: () => ServerProcess): Pausable => ({
      get pid() {
        return server().pid;
      },
      pause: () => server().pause(),
      resume: () => server().resume(),
    });
    return {
      ...access,
      directory,
      kubeconfig,
      client,
      etcd: pausable(() => etcd),
      controllerManager: pausable(() => controllerManager),
      apiServer: Object.assign(
        pausable(() => apiServer),
        {
          kill: () => end(apiServer),
          restart: async () => {
            await end(apiServer);
            apiServer = startApiServer();
            await until("API server", check, () => client.request(readiness).then(() => true));
          },
        },
      ),
      failed: failed.promise,
      nodes,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
};

const abortion = (signal?: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal?.aborted === true) reject(signal.reason as Error);
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });

interface ForCluster extends Binaries {
  /** What nodes need, where there are to be any. */
  readonly nodes: Awaited<ReturnType<typeof prepareNodes>> | undefined;
}

const find = async ({
  version = testedVersion,
  say = () => undefined,
  nodes,
}: ClusterOptions): Promise<ForCluster> => ({
  ...(await findBinaries(version, say)),
  nodes: nodes && (await prepareNodes(version, nodes, say)),
});

const openNodes = (
  programs: NonNullable<ForCluster["nodes"]>,
  directory: string,
  kubeconfig: string,
  { nodes = { count: 1 }, directory: kept }: ClusterOptions,
): Promise<Nodes> =>
  startNodes(programs, nodes, {
    folder: join(directory, "nodes"),
    kubeconfig,
    temporary: kept === undefined ? directory : undefined,
  });

export const startCluster = async (options: ClusterOptions = {}): Promise<Cluster> => {
  const binaries = await Promise.race([find(options), abortion(options.signal)]);
  for (let tries = 1; ; tries += 1) {
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), "turnpike-cluster-"));
    mkdirSync(directory, { recursive: true });
    try {
      return await attempt(binaries, directory, options);
    } catch (error) {
      if (!(error instanceof PortTaken) || options.port !== undefined || tries === 3) throw error;
    }
  }
};
