/**
 * What the tests need beside npm packages: coturn's client tools, Chromium, Helm, and the servers of Kubernetes. Installs
 * them from Debian when it may, and builds Helm and the servers, once, so that no test has to wait for it; otherwise says
 * exactly what is missing, and fails.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { buildHelm } from "../test/chart/helm.ts";
import { testedVersion, findBinaries, MissingTool } from "../test/cluster/binaries.ts";
import { prepareGatewayApi } from "../test/cluster/crds.ts";
import { nodeTools, prepareNodes } from "../test/cluster/nodes/nodes.ts";
import { whereIs } from "../test/cluster/process.ts";
import { buildPion } from "../test/interop/go.ts";
import { envoy, hadolint, pythonWithAiortc } from "../test/interop/python.ts";
import { buildActionlint } from "../test/package/actionlint.ts";
import { serverImages } from "../test/media-servers/servers.ts";

const tools = [
  { command: "turnutils_uclient", debian: "coturn", purpose: "TURN clients that we did not write" },
  { command: "chromium", debian: "chromium", purpose: "WebRTC in a real browser" },
  { command: "iperf3", debian: "iperf3", purpose: "traffic that we did not write, through 'turnpike connect'" },
  { command: "zsh", debian: "zsh", purpose: "its completion" },
  { command: "fish", debian: "fish", purpose: "its completion" },
  { command: "openssl", debian: "openssl", purpose: "test certificates" },
  { command: "unshare", debian: "util-linux", purpose: "networks of their own for tests" },
  {
    command: "python3",
    debian: "python3-venv",
    purpose: "aiortc, a WebRTC stack that is not part of a browser; hadolint; Envoy",
  },
  { command: "qemu-aarch64-static", debian: "qemu-user-static", purpose: "the image for arm64" },
  { command: "faketime", debian: "faketime", purpose: "a wall clock that steps" },
  { command: "etcd", debian: "etcd-server", purpose: "storage of the API server of Kubernetes" },
  { command: "/usr/sbin/nginx", debian: "nginx", purpose: "TURN and HTTPS on one port, told apart by nginx" },
  { command: "/usr/lib/nginx/modules/ngx_stream_module.so", debian: "libnginx-mod-stream", purpose: "the same" },
  { command: "/usr/sbin/haproxy", debian: "haproxy", purpose: "TURN and HTTPS on one port, told apart by HAProxy" },
  { command: "firefox-esr", debian: "firefox-esr", purpose: "WebRTC in a browser of another kind" },
  { command: "mmdebstrap", debian: "mmdebstrap", purpose: "images of media servers that Debian has" },
  { command: "mvn", debian: "maven", purpose: "ice4j, the ICE of Jitsi's videobridge" },
  { command: "javac", debian: "openjdk-17-jdk-headless", purpose: "the same" },
  { command: "clang", debian: "clang", purpose: "compiling the program in the kernel again" },
  { command: "/usr/include/bpf/bpf_helpers.h", debian: "libbpf-dev", purpose: "the same" },
  ...nodeTools,
] as const;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const assets = process.env["KUBEBUILDER_ASSETS"];

const isThere = (command: string): boolean =>
  (command.startsWith("/") && existsSync(command)) ||
  (assets !== undefined && whereIs(command, [assets]) !== undefined) ||
  whereIs(command) !== undefined;

const run = (command: string, ...args: readonly string[]): boolean => {
  process.stderr.write(`$ ${command} ${args.join(" ")}\n`);
  const { status } = spawnSync(command, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  return status === 0;
};

let missing = tools.filter(({ command }) => !isThere(command));
if (missing.length > 0 && isThere("apt-get") && process.getuid?.() === 0) {
  run("apt-get", "update", "-qq");
  run("apt-get", "install", "-y", "-qq", "--no-install-recommends", ...missing.map(({ debian }) => debian));
  missing = tools.filter(({ command }) => !isThere(command));
}
if (missing.length > 0) {
  for (const { command, debian, purpose } of missing)
    process.stderr.write(`missing: ${command} (${purpose}); on Debian: sudo apt-get install ${debian}\n`);
  process.exitCode = 1;
}

try {
  if (missing.every(({ command }) => command !== "etcd")) await findBinaries(testedVersion, say);
  await prepareGatewayApi();
  await buildHelm(say);
  await prepareNodes(testedVersion, { count: 1, enforcesPolicies: true }, say);
  await buildPion("client");
  await pythonWithAiortc();
  await hadolint();
  await envoy();
  await buildActionlint();
  await serverImages();
} catch (error) {
  if (!(error instanceof MissingTool)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
