/** A dataplane in this process: configs are given to it directly, and its log must replay. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino, type Logger } from "pino";
import { ReplaySubject } from "rxjs";
import { expect } from "vitest";
import { replay } from "../../src/core/replay.ts";
import type { EngineName } from "../../src/dataplane/engines/choose.ts";
import type { RelayTuning } from "../../src/dataplane/relay.ts";
import type { ConfigEvent } from "../../src/discovery/client.ts";
import { configSource } from "../../src/discovery/source.ts";
import { digest } from "../../src/journal/digest.ts";
import type { FactLine } from "../../src/journal/fact.ts";
import { readJournal } from "../../src/journal/reader.ts";
import type {
  ClusterConfig,
  DataplaneConfig,
  ListenerConfig,
  ListenerProtocol,
} from "../../src/resources/dataplane-config.ts";
import { startDataplane, type Dataplane } from "../../src/runtime/dataplane.ts";
import { offload } from "./offload.ts";
import { makeCertificate, type TestCertificate } from "./certificate.ts";
import { freePort } from "./free-port.ts";
import { keepLog } from "./logs.ts";
import { eventually } from "./eventually.ts";

export const credentials = { username: "user-1", password: "pass-1" } as const;
export const GATEWAY = "media/gateway";

export interface Ports {
  readonly udp: number;
  readonly tcp: number;
  readonly tls: number;
  readonly dtls: number;
}
export type TransportName = keyof Ports;
export const transports = ["udp", "tcp", "tls", "dtls"] as const satisfies readonly TransportName[];

export interface ConfigChanges {
  readonly endpoints?: readonly string[];
  readonly clusters?: readonly ClusterConfig[];
  readonly certificate?: TestCertificate;
  readonly auth?: DataplaneConfig["auth"];
  readonly admin?: Partial<DataplaneConfig["admin"]>;
  readonly address?: string;
  /** Further fields of single listeners. */
  readonly listeners?: Partial<Readonly<Record<TransportName, Partial<ListenerConfig>>>>;
}

export interface TestDataplane {
  readonly dataplane: Dataplane;
  readonly ports: Ports;
  readonly facts: readonly FactLine[];
  readonly certificate: TestCertificate;
  /** Folder of the event log. */
  readonly journal: string;
  /** A config with a listener for each transport, all of which route `media/peers`. */
  config(changes?: ConfigChanges): DataplaneConfig;
  /** Applies a config, and waits until it is active. */
  apply(changes?: ConfigChanges): Promise<void>;
  stop(): Promise<void>;
}

const protocolOf: Readonly<Record<TransportName, ListenerProtocol>> = {
  udp: "TURN-UDP",
  tcp: "TURN-TCP",
  tls: "TURN-TLS",
  dtls: "TURN-DTLS",
};

export const startTestDataplane = async (
  changes: ConfigChanges = {},
  options: {
    readonly engine?: EngineName | undefined;
    readonly workers?: number;
    readonly relay?: RelayTuning;
    /** With its own admin API, at a free port. */
    readonly admin?: boolean;
    readonly log?: Logger;
  } = {},
): Promise<TestDataplane> => {
  const root = mkdtempSync(join(tmpdir(), "turnpike-dataplane-"));
  const journal = join(root, "journal");
  const certificate = makeCertificate();
  const address = changes.address ?? "127.0.0.1";
  const [plain, secure] = [await freePort(address), await freePort(address)];
  const ports: Ports = { udp: plain, tcp: plain, tls: secure, dtls: secure };
  const config = (now: ConfigChanges = {}): DataplaneConfig => {
    const {
      endpoints = ["127.0.0.1"],
      certificate: material = certificate,
      auth,
      admin,
      clusters,
      listeners = {},
    } = { ...changes, ...now };
    return {
      version: "v1",
      admin: { name: GATEWAY, healthcheck_endpoint: "", ...offload(), ...admin },
      auth: auth ?? { type: "static", realm: "stunner.l7mp.io", credentials },
      listeners: transports.map((transport): ListenerConfig => ({
        name: `${GATEWAY}/${transport}`,
        protocol: protocolOf[transport],
        address,
        port: ports[transport],
        routes: (clusters ?? [{ name: "media/peers" }]).map(({ name }) => name),
        ...(transport === "tls" || transport === "dtls" ? { cert: material.cert64, key: material.key64 } : {}),
        ...listeners[transport],
      })),
      clusters: clusters ?? [{ name: "media/peers", type: "STATIC", protocol: "UDP", endpoints }],
    };
  };
  const configs = new ReplaySubject<ConfigEvent>();
  configs.next({ event: "config", config: config() });
  const dataplane = await startDataplane({
    origin: "test",
    source: () => configSource(configs, { origin: "test" }),
    journal,
    engine: options.engine,
    workers: options.workers,
    ...(options.relay === undefined ? {} : { relay: options.relay }),
    ...(options.admin === true ? { admin: { host: "127.0.0.1", port: 0 } } : {}),
    log: options.log ?? pino({ level: "silent" }),
  });
  const facts: FactLine[] = [];
  dataplane.loop.onFact((fact) => facts.push(fact));
  await dataplane.started;
  for (const fact of facts)
    if (fact.type === "effect.failed" && fact.data.effect === "update" && fact.data.reason.includes("EADDRINUSE"))
      throw new Error(`somebody else has a port of the test: ${fact.data.target}: ${fact.data.reason}`);
  return {
    dataplane,
    ports,
    facts,
    certificate,
    journal,
    config,
    async apply(now) {
      const before = facts.length;
      const isPublished = (): boolean => facts.findLastIndex(({ type }) => type === "gateway.published") >= before;
      configs.next({ event: "config", config: config(now) });
      await eventually(() => expect(isPublished()).toBe(true));
    },
    async stop() {
      // Clients that are still there are not waited for.
      void dataplane.drain("the test is over");
      expect(await dataplane.stop()).toEqual([]);
      expect(replay(readJournal(journal), digest).divergence).toBeUndefined();
      keepLog(journal);
      rmSync(root, { recursive: true });
    },
  };
};
