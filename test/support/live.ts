/** A standalone gateway in this process: manifests in a folder of its own, free ports, and a log that must replay. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { bindUdp, freePort } from "./free-port.ts";
import { keepLog } from "./logs.ts";
import {
  dataplane,
  endpointSlice,
  gateway,
  gatewayClass,
  gatewayConfig,
  service,
  somePorts,
  udpRoute,
  withMetadata,
  type Endpoint,
} from "./manifests.ts";
import { expect } from "vitest";
import { stringify } from "yaml";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import type { FactLine, JournalLine } from "../../src/journal/fact.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { startStandalone, type Standalone } from "../../src/runtime/standalone.ts";
import { eventually } from "./eventually.ts";
import { offload } from "./offload.ts";

export interface World {
  readonly auth?: Readonly<Record<string, unknown>>;
  readonly realm?: string;
  readonly backends?: readonly Endpoint[];
  /** A second Service with a route of its own; none where absent. */
  readonly otherBackends?: readonly Endpoint[];
  readonly protocols?: readonly string[];
  /** Both routes attached to the gateway; a name left out is detached. */
  readonly attached?: readonly ("echo" | "other")[];
  readonly port?: number;
  /** Of the Gateway. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Objects beside these. */
  readonly more?: readonly unknown[];
}

/** The Dataplane that gateways take by default, where the suite is run with offload. */
const offloading = () => {
  const { offload_engine: offloadEngine, offload_interfaces: offloadInterfaces } = offload();
  return offloadEngine === undefined ? [] : [dataplane({ offloadEngine, offloadInterfaces })];
};

/** A Service with a route of its own. */
const backendOf = (name: string, attached: boolean, backends: readonly Endpoint[]) => [
  udpRoute(`default/${name}`, [{ name: attached ? "gateway" : "another" }], [{ name }]),
  service(`default/${name}`, somePorts),
  endpointSlice(`default/${name}-1`, name, backends),
];

export const manifestsOf = ({
  auth = { authType: "static", userName: "user-1", password: "pass-1" },
  realm = "stunner.l7mp.io",
  backends = [{ address: "127.0.0.1" }],
  otherBackends,
  protocols = ["TURN-UDP", "TURN-TCP"],
  attached = ["echo", "other"],
  port = 3478,
  annotations = {},
  more = [],
}: World): string =>
  [
    gatewayClass("media", "default/config"),
    gatewayConfig("default/config", { realm, ...auth }),
    withMetadata(
      gateway(
        "default/gateway",
        "media",
        protocols.map((protocol) => ({
          name: protocol.toLowerCase(),
          port,
          protocol,
          // From the Secret `certificate`, which is among `more`.
          ...(protocol === "TURN-TLS"
            ? { tls: { mode: "Terminate", certificateRefs: [{ kind: "Secret", name: "certificate" }] } }
            : {}),
        })),
      ),
      { annotations },
    ),
    ...backendOf("echo", attached.includes("echo"), backends),
    ...offloading(),
    ...(otherBackends === undefined ? [] : backendOf("other", attached.includes("other"), otherBackends)),
    ...more,
  ]
    .map((object) => stringify(object))
    .join("---\n");

export interface EchoBackend {
  readonly address: string;
  readonly port: number;
  /** Packets that arrived. */
  readonly received: number;
  close(): Promise<void>;
}

export const startEchoBackend = async (address = "127.0.0.1"): Promise<EchoBackend> => {
  const socket = await bindUdp(address, 0);
  socket.setRecvBufferSize(4 << 20);
  let received = 0;
  socket.on("message", (message, from) => {
    received += 1;
    socket.send(message, from.port, from.address);
  });
  return {
    address,
    port: socket.address().port,
    get received() {
      return received;
    },
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
};

export interface Live {
  readonly standalone: Standalone;
  readonly port: number;
  readonly facts: readonly FactLine[];
  readonly journal: string;
  /** Rewrites the manifests and waits until the change is active. */
  edit(world: World): Promise<void>;
  /** Rewrites the manifests; tells nothing of when it takes effect. */
  write(world: World): void;
  lines(): readonly JournalLine[];
  waitFor(check: () => void): Promise<void>;
  /** Stops the gateway; its log must replay identically, whole and cut off at many places. */
  stop(): Promise<void>;
}

/** @param adminToken that the admin API asks for; it asks for none where absent. */
export const startLive = async (
  world: World = {},
  addresses: readonly string[] = ["127.0.0.1"],
  adminToken?: string,
): Promise<Live> => {
  const root = mkdtempSync(join(tmpdir(), "turnpike-live-"));
  const [manifests, journal] = [join(root, "manifests.yaml"), join(root, "journal")];
  const waitFor = (check: () => void): Promise<void> => eventually(check);

  // Another process may take the port between the look and the bind.
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort(...addresses);
    writeFileSync(manifests, manifestsOf({ ...world, port }));
    const standalone = await startStandalone({
      directory: root,
      addresses,
      journal,
      admin: { host: "127.0.0.1", port: 0, ...(adminToken === undefined ? {} : { token: adminToken }) },
      log: pino({ level: "silent" }),
    });
    const facts: FactLine[] = [];
    standalone.loop.onFact((fact) => facts.push(fact));
    await standalone.started;
    if (
      standalone
        .state()
        .gateways.flatMap(({ listeners }) => listeners)
        .some(({ state }) => state === "failed") &&
      attempt < 5
    ) {
      await standalone.stop("port taken");
      continue;
    }

    const write = (next: World): void => {
      writeFileSync(manifests, manifestsOf({ ...next, port: next.port ?? port }));
    };
    return {
      standalone,
      port,
      facts,
      journal,
      write,
      waitFor,
      async edit(next) {
        const before = facts.length;
        write(next);
        await waitFor(() => expect(facts.slice(before).some(({ type }) => type === "gateway.published")).toBe(true));
      },
      lines: () => [...readJournal(journal)],
      async stop() {
        const left = await standalone.stop("test");
        expect(left).toEqual([]);
        const lines = [...readJournal(journal)];
        expect(replay(lines, digest).divergence).toBeUndefined();
        for (let cut = 1; cut < 20; cut += 1)
          expect(replay(lines.slice(0, Math.floor((lines.length * cut) / 20)), digest).divergence).toBeUndefined();
        keepLog(journal);
        rmSync(root, { recursive: true });
      },
    };
  }
};
