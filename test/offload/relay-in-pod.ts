/**
 * A relay as its pod runs it, alone on one veth, with its channels forwarded in the kernel: clients and peers are in this
 * process, on the other side of that link. This process leaves the machine's network.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { ProgramState } from "../../src/admin/state.ts";
import { STUNNERD } from "../support/dataplane-process.ts";
import { eventually } from "../support/eventually.ts";
import { keepLog } from "../support/logs.ts";
import { startInPod, type PodProcess } from "../support/network.ts";

export const POD = "10.244.0.20";
export const PORT = 3478;
const WITHOUT_TCX = fileURLToPath(new URL("without-tcx.ts", import.meta.url));
const ADMIN = `${POD}:8090`;

export interface RelayConfigText {
  readonly engine?: string;
  readonly interfaces?: readonly string[];
  readonly endpoints: readonly string[];
}

export interface RelayInPod {
  readonly pod: PodProcess;
  state(): Promise<ProgramState>;
  /** Changes its file of config; it takes that up by itself. */
  write(config: RelayConfigText): void;
  stop(): Promise<void>;
}

const textOf = ({ engine = "TC", interfaces = [], endpoints }: RelayConfigText): string =>
  [
    "version: v1",
    `admin: {name: media/gateway, healthcheck_endpoint: "", offload_engine: ${engine}, offload_interfaces: [${interfaces.join()}]}`,
    "auth: {type: static, realm: stunner.l7mp.io, credentials: {username: user-1, password: pass-1}}",
    "listeners:",
    `- {name: media/gateway/udp, protocol: TURN-UDP, address: ${POD}, port: ${PORT}, routes: [media/peers]}`,
    `- {name: media/gateway/tcp, protocol: TURN-TCP, address: ${POD}, port: ${PORT}, routes: [media/peers]}`,
    `clusters: [{name: media/peers, type: STATIC, protocol: UDP, endpoints: [${endpoints.join()}]}]`,
    "",
  ].join("\n");

/** Lets the network of the process `pid` forward packets: its XDP redirects need it. */
export const setForwarding = (pid: number | undefined): void => {
  const command = ["--net", "--target", String(pid), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"];
  expect(spawnSync("nsenter", command).status).toBe(0);
};

export interface RelayInPodOptions {
  /** The kernel seems to be without TCX links. */
  readonly isWithoutTcx?: boolean;
}

export const startRelayInPod = async (
  config: RelayConfigText,
  flags: readonly string[] = [],
  { isWithoutTcx = false }: RelayInPodOptions = {},
): Promise<RelayInPod> => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-offload-"));
  const path = join(folder, "stunnerd.yaml");
  const write = (next: RelayConfigText): void => {
    writeFileSync(`${path}.next`, textOf(next));
    renameSync(`${path}.next`, path);
  };
  write(config);
  const journal = join(folder, "journal");
  const command = [STUNNERD, "-w", "-c", path, "--admin", ADMIN, "--journal", journal, ...flags];
  const environment = isWithoutTcx ? { NODE_OPTIONS: `--import=${WITHOUT_TCX}` } : {};
  const pod = await startInPod(POD, command, environment, folder);
  const state = async (): Promise<ProgramState> =>
    (await (await fetch(`http://${ADMIN}/api/v1/state`)).json()) as ProgramState;
  await eventually(async () => expect((await state()).relay.listeners.map((one) => one.state)).toContain("serving"));
  return {
    pod,
    state,
    write,
    async stop() {
      if (!existsSync(folder)) return;
      pod.child.kill("SIGKILL");
      await pod.ended;
      keepLog(journal);
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
