/** `turnpike icetest`, also `stunnerctl icetest`: tests end to end whether a cluster relays WebRTC. */
import { Command, InvalidArgumentError, Option } from "commander";
import { iceConfigOf, turnAuthOf, DEFAULT_TTL_SECONDS } from "../credentials/turn-auth.ts";
import { fetchConfig } from "../discovery/fetch.ts";
import { partsOf } from "../discovery/protocol.ts";
import { messageOf, TurnpikeError } from "../errors.ts";
import { BACKEND, WHIP_PORT, type Transport } from "../icetest/objects.ts";
import { read } from "../icetest/objects-in-cluster.ts";
import { runIceTest, type Result, type Step } from "../icetest/run.ts";
import { ApiError } from "../kubernetes/api.ts";
import { apiOf } from "../kubernetes/connect.ts";
import { loadKubeconfig } from "../kubernetes/kubeconfig.ts";
import { forwardPort } from "../kubernetes/port-forward.ts";
import { DEFAULT_CONTROLLER_NAME } from "../resources/names.ts";
import { addDiscoveryOptions, reachDiscovery, type DiscoveryFlags } from "./discovery-options.ts";
import { outputOption, print, type Format } from "./output.ts";
import { onStopSignal } from "./signals.ts";

interface IceTestFlags extends DiscoveryFlags {
  readonly packetRate: number;
  readonly timeout: number;
  readonly duration: number;
  readonly iceTesterImage: string;
  readonly offloadMode: string;
  readonly forceCleanup?: boolean;
  readonly inCluster?: boolean;
  readonly controllerName: string;
  readonly output: Format;
}

const DEFAULT_NAMESPACE = "icetest";

const transportsOf = (given: readonly string[]): readonly Transport[] => {
  const names = given.length === 0 ? ["udp"] : [...new Set(given.map((name) => name.toLowerCase()))];
  return names.map((name) => {
    if (name === "udp" || name === "tcp") return name;
    throw new TurnpikeError("usage", `${name}: ICE tests run over udp and tcp`);
  });
};

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `5m`, `90s`, `1m30s`, as in Go. */
const parseDuration = (text: string): number => {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) throw new InvalidArgumentError("expected a duration such as 90s or 5m");
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ""] ?? 0),
    0,
  );
};

const parseRate = (text: string): number => {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("expected messages a second, or 0");
  return Number(text);
};

const statisticsLine = ({ rate, lost, sent, roundTrip }: Result): string => {
  const [mean, median, p95, p99] = [roundTrip.mean, roundTrip.median, roundTrip.p95, roundTrip.p99].map((ms) =>
    ms.toFixed(2),
  );
  const share = sent === 0 ? 0 : (lost / sent) * 100;
  return `\tStatistics: rate=${rate.toFixed(2)}pps, loss=${lost}/${sent}pkts=${share.toFixed(2)}%, RTT:mean=${mean}ms/median=${median}ms/P95=${p95}ms/P99=${p99}ms`;
};

/** Prints each step on its own line when it ends; on stderr if the result on stdout is for a program. */
const told = (format: Format): ((step: Step) => void) => {
  const say = (text: string): void => void (format.as === "table" ? process.stdout : process.stderr).write(text);
  return ({ step, over, state, result }) => {
    if (result !== undefined) return say(`${statisticsLine(result)}\n`);
    if (state !== "begun") return say(`${state}\n`);
    return say(`${new Date().toUTCString()}: ${step}${over === undefined ? "" : ` over ${over}`}... `);
  };
};

const run = async (given: readonly string[], flags: IceTestFlags): Promise<void> => {
  const transports = transportsOf(given);
  const namespace = flags.namespace ?? DEFAULT_NAMESPACE;
  const kubeconfig = await loadKubeconfig(flags);
  const api = await apiOf(kubeconfig);
  const { target, close } = await reachDiscovery(flags);
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: BACKEND, namespace } };
  const ending = new AbortController();
  const end = (why: string): void => ending.abort(new TurnpikeError("icetest-failed", why));
  const late = setTimeout(() => end(`it took longer than ${flags.timeout / 1000} s (--timeout)`), flags.timeout);
  onStopSignal((signal) => end(signal));
  try {
    const results = await runIceTest({
      api,
      settings: {
        namespace,
        transports,
        controllerName: flags.controllerName,
        image: flags.iceTesterImage,
        offloadEngine: flags.offloadMode,
      },
      forceCleanup: flags.forceCleanup === true,
      rate: flags.packetRate,
      durationMs: flags.duration,
      async iceConfig(gateway) {
        let config;
        try {
          config = await fetchConfig({ ...target, id: gateway });
        } catch (error) {
          return messageOf(error);
        }
        const parts = partsOf(gateway);
        const query = {
          username: "icetest",
          ttlSeconds: DEFAULT_TTL_SECONDS,
          namespace: parts?.namespace,
          gateway: parts?.name,
          listener: undefined,
          publicAddress: undefined,
        };
        const auth = turnAuthOf(config, query, Date.now());
        return auth === undefined ? "it has no listener yet" : iceConfigOf([auth], "relay");
      },
      async reachBackend() {
        if (flags.inCluster === true) {
          const found = await read<{ readonly status?: { readonly podIP?: string } }>(api, pod);
          return { at: `${found?.status?.podIP ?? ""}:${WHIP_PORT}`, close: () => undefined };
        }
        return forwardPort(kubeconfig, () => Promise.resolve({ namespace, name: BACKEND }), WHIP_PORT);
      },
      report: told(flags.output),
      signal: ending.signal,
    });
    if (flags.output.as !== "table") await print(flags.output, results, () => "");
  } catch (error) {
    if (error instanceof ApiError) throw new TurnpikeError("api-refused", error.message, { cause: error });
    throw error;
  } finally {
    clearTimeout(late);
    close();
    await api.close();
  }
};

export const addIceTestOptions = (command: Command): Command =>
  addDiscoveryOptions(command)
    .argument("[transports...]", "udp and tcp (default: udp)")
    .option("-r, --packet-rate <n>", "messages a second; 0: as many as the channel takes", parseRate, 50)
    .option("-t, --timeout <duration>", "for all of it (default: 5m)", parseDuration, 5 * 60_000)
    .option("--duration <duration>", "of each test (default: 20s)", parseDuration, 20_000)
    .option("--ice-tester-image <image>", "of the far end", "docker.io/l7mp/icetester:latest")
    .option("--offload-mode <engine>", "offload engine of the test's Dataplane", "None")
    .option("--force-cleanup", "remove the namespace first if it is there already, with all that is in it")
    .option("--in-cluster", "reach the far end at its pod's own address, where this runs in the cluster")
    .option("--controller-name <name>", "of the operator that is tested", DEFAULT_CONTROLLER_NAME)
    .addOption(
      new Option(
        "--allow-nodeport",
        "taken and ignored: where there is no load balancer, node ports are used",
      ).hideHelp(),
    )
    .action(run);

export const iceTestCommand = (): Command =>
  addIceTestOptions(new Command("icetest"))
    .description("make a Gateway and a WebRTC peer behind it, hold calls through it, and remove both again")
    .addOption(outputOption());
