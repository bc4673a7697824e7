/** What the programs of a node read. */
import { stringify } from "yaml";
import type { FamilyName } from "./wire.ts";

export interface NodeSettings {
  readonly name: string;
  /** 1 and up. */
  readonly number: number;
  /** Of everything that the node keeps. */
  readonly folder: string;
  readonly kubeconfig: string;
  /** Below each hierarchy of cgroups. */
  readonly cgroup: string;
  readonly proxyMode: "nftables" | "iptables";
  readonly families: readonly FamilyName[];
}

/** All pods of all nodes. */
const PODS = { v4: "10.244.0.0/16", v6: "fd00:244::/48" };

/** The pods of one node. */
export const podsOf = (number: number) => ({ v4: `10.244.${number}.0/24`, v6: `fd00:244:0:${number}::/64` });

const SERVICES = { v4: "10.96.0.0/16", v6: "fd00:96::/112" };
const DNS = { v4: "10.96.0.10", v6: "fd00:96::a" };
const DEFAULT = { v4: "0.0.0.0/0", v6: "::/0" };

/** The ranges of Services, as the API server takes them. */
export const servicesOf = (families: readonly FamilyName[]): string =>
  families.map((family) => SERVICES[family]).join(",");
export const dnsAddress = ([family = "v4"]: readonly FamilyName[]): string => DNS[family];
export const PAUSE = "localhost/pause:1";

/** Plugins and configurations of pod networks. */
export const CNI_PLUGINS = "/usr/lib/cni";

const containerd = (folder: string): string => `version = 2
root = "${folder}/containerd"
state = "/run/containerd"
disabled_plugins = ${JSON.stringify(
  [
    "snapshotter.v1.btrfs",
    "snapshotter.v1.zfs",
    "snapshotter.v1.devmapper",
    "snapshotter.v1.aufs",
    "internal.v1.opt",
  ].map((name) => `io.containerd.${name}`),
)}
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${CNI_PLUGINS}"
    conf_dir = "${folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`;

const cni = ({ number, families }: NodeSettings) => ({
  cniVersion: "0.4.0",
  name: "pods",
  plugins: [
    {
      type: "bridge",
      bridge: "cni0",
      isGateway: true,
      ipMasq: false,
      hairpinMode: true,
      ipam: {
        type: "host-local",
        dataDir: "/run/cni-ipam",
        ranges: families.map((family) => [{ subnet: podsOf(number)[family] }]),
        routes: families.map((family) => ({ dst: DEFAULT[family] })),
      },
    },
    { type: "portmap", capabilities: { portMappings: true } },
  ],
});

const kubelet = ({ folder, cgroup, families }: NodeSettings) => ({
  apiVersion: "kubelet.config.k8s.io/v1beta1",
  kind: "KubeletConfiguration",
  address: "::",
  authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
  authorization: { mode: "AlwaysAllow" },
  cgroupDriver: "cgroupfs",
  cgroupRoot: `/${cgroup}`,
  cgroupsPerQOS: true,
  enforceNodeAllocatable: [],
  failSwapOn: false,
  failCgroupV1: false,
  containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
  volumePluginDir: `${folder}/volume-plugins`,
  podLogsDir: "/var/log/pods",
  clusterDNS: [dnsAddress(families)],
  clusterDomain: "cluster.local",
  resolvConf: "/dev/null",
  // Of the machine's memory and disk, which are not this cluster's alone.
  evictionHard: { "memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
  imageGCHighThresholdPercent: 100,
  nodeStatusUpdateFrequency: "5s",
  // A pod that has ended is looked at again so often; by default once a minute, and so long it stays listed.
  syncFrequency: "10s",
  oomScoreAdj: 0,
});

const proxy = ({ name, kubeconfig, proxyMode, families }: NodeSettings) => ({
  apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
  kind: "KubeProxyConfiguration",
  mode: proxyMode,
  hostnameOverride: name,
  clusterCIDR: families.map((family) => PODS[family]).join(","),
  healthzBindAddress: "[::]:10256",
  metricsBindAddress: "127.0.0.1:10249",
  clientConnection: { kubeconfig },
  // Sysctls of the whole machine otherwise.
  conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  [proxyMode]: { syncPeriod: "10s", minSyncPeriod: "100ms" },
});

export const schedulerConfig = (kubeconfig: string): string =>
  stringify({
    apiVersion: "kubescheduler.config.k8s.io/v1",
    kind: "KubeSchedulerConfiguration",
    leaderElection: { leaderElect: false },
    clientConnection: { kubeconfig, qps: 500, burst: 1000 },
  });

/** Texts by their places below the node's folder. */
export const filesOf = (settings: NodeSettings): Readonly<Record<string, string>> => ({
  "containerd.toml": containerd(settings.folder),
  "cni/10-pods.conflist": JSON.stringify(cni(settings)),
  "kubelet.yaml": stringify(kubelet(settings)),
  "kube-proxy.yaml": stringify(proxy(settings)),
});
