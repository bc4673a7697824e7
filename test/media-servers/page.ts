/** Pages of browsers outside a cluster, as a test has them, and what they say of the media that comes in. */
import { fileURLToPath } from "node:url";
import type { Network } from "../cluster/nodes/wire.ts";
import { startOutside } from "../node/process-outside.ts";
import type { BrowserName, BrowserOrders } from "./browsers.ts";

const script = fileURLToPath(new URL("browsers.ts", import.meta.url));

export interface CallPage {
  /** Calls `work`, which is sent as its source, with what JSON can say. */
  run<Args extends readonly unknown[], Result>(
    work: (...args: Args) => Result | Promise<Result>,
    ...args: Args
  ): Promise<Result>;
  close(): Promise<void>;
}

export interface OutsideBrowsers {
  /** Their names with versions. */
  readonly versions: Readonly<Record<BrowserName, string>>;
  /** @param scripts of the page, each its text. */
  open(name: BrowserName, scripts: readonly string[]): Promise<CallPage>;
  close(): Promise<void>;
}

export const startBrowsers = async (network: Network): Promise<OutsideBrowsers> => {
  const outside = startOutside(network, script);
  const ask = async <Name extends keyof BrowserOrders>(
    name: Name,
    ...args: Parameters<BrowserOrders[Name]>
  ): Promise<Awaited<ReturnType<BrowserOrders[Name]>>> =>
    (await outside.ask(name, args)) as Awaited<ReturnType<BrowserOrders[Name]>>;
  return {
    versions: { chrome: await ask("launch", "chrome"), firefox: await ask("launch", "firefox") },
    async open(name, scripts) {
      const page = await ask("open", name, scripts);
      return {
        run: async <Result>(work: (...args: never) => Result | Promise<Result>, ...args: readonly unknown[]) =>
          (await ask("run", page, work.toString(), args)) as Awaited<Result>,
        close: () => ask("closePage", page),
      };
    },
    close: () => outside.close(),
  };
};

export interface MediaStats {
  /** Of all videos and all audios that come in. */
  readonly framesDecoded: number;
  readonly audioPackets: number;
  /** Types of the candidates of pairs in use: `LOCAL/REMOTE`, each once. */
  readonly pairs: readonly string[];
  /** `connectionState` of each connection that is not closed. */
  readonly states: readonly string[];
}

interface Stats {
  readonly type: string;
  readonly kind?: string;
  readonly framesDecoded?: number;
  readonly packetsReceived?: number;
  readonly state?: string;
  readonly nominated?: boolean;
  readonly localCandidateId?: string;
  readonly remoteCandidateId?: string;
  readonly candidateType?: string;
}

interface Connection {
  readonly connectionState: string;
  getStats(): Promise<ReadonlyMap<string, Stats>>;
}

/** What the browser says of all connections of the page. */
export const statsOf = (page: CallPage): Promise<MediaStats> =>
  page.run(async () => {
    let framesDecoded = 0;
    let audioPackets = 0;
    const pairs = new Set<string>();
    const states: string[] = [];
    const { peerConnections } = globalThis as unknown as { readonly peerConnections: readonly Connection[] };
    for (const connection of peerConnections) {
      // One that a library tried out what the browser can.
      if (connection.connectionState === "closed") continue;
      states.push(connection.connectionState);
      const stats = await connection.getStats();
      for (const one of stats.values()) {
        if (one.type === "inbound-rtp" && one.kind === "video") framesDecoded += one.framesDecoded ?? 0;
        if (one.type === "inbound-rtp" && one.kind === "audio") audioPackets += one.packetsReceived ?? 0;
        if (one.type === "candidate-pair" && one.state === "succeeded" && one.nominated === true)
          pairs.add(
            [one.localCandidateId, one.remoteCandidateId].map((id) => stats.get(id ?? "")?.candidateType).join("/"),
          );
      }
    }
    return { framesDecoded, audioPackets, pairs: [...pairs], states };
  });
